"""Loops that numba compiles at first use: kept on disk where that is possible, and run side by side.

Numba is imported when something is compiled, not before.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import torch

from uumamba.core.errors import UumambaError
from uumamba.core.log import log

Function = TypeVar("Function", bound=Callable[..., Any])
_said: set[str] = set()


def compiled(what: str, **options: Any) -> Callable[[Function], Function]:
    """A decorator: compile at the first call, to loops that run without Python's lock; options are those of `njit`.

    Numba keeps the result beside the function's file or in the user's cache folder; where it finds no folder to write
    to, as in a read-only container, every process compiles anew, and the log says so once for `what`.
    """
    from numba import njit

    compile_loops = partial(njit, nogil=True, error_model="numpy", **options)

    def decorate(function: Function) -> Function:
        """Keep it if it can be kept."""
        try:
            result: Function = compile_loops(cache=True)(function)
        except RuntimeError as error:
            if what not in _said:
                log.info("%s: compiled loops cannot be kept (%s); set NUMBA_CACHE_DIR to a folder", what, error)
                _said.add(what)
            result = compile_loops()(function)
        return result

    return decorate


def side_by_side(what: str, kernel: Any, calls: Sequence[tuple[Any, ...]]) -> None:
    """Call a compiled function with each of the arguments, on torch's number of threads if there are several calls.

    Raises `UumambaError`, one line that begins with `what`, if it cannot be compiled here.
    """
    from numba.core.errors import NumbaError

    if not kernel.signatures and not _is_kept(kernel):
        log.info("%s: compiling %s for this processor, a few seconds, once", what, kernel.py_func.__name__)
    threads = min(torch.get_num_threads(), len(calls))

    def work(arguments: tuple[Any, ...]) -> None:
        """One call; a failure to compile ends in one line."""
        try:
            kernel(*arguments)
        except NumbaError as error:
            reason = str(error).strip().splitlines()[0]
            raise UumambaError(
                f"{what}: backend 'cpu' cannot be compiled here ({reason}); pip install --upgrade numba"
            ) from error

    if threads == 1:
        for arguments in calls:
            work(arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, calls))


def why_not_on_a_cpu(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why loops in float32 cannot run there, or None: another device or precision, or no numba."""
    if device.type != "cpu":
        return "it runs on the CPU alone"
    if dtype != torch.float32:
        return f"it computes in torch.float32, not in {dtype}"
    try:
        import_module("numba")
    except ImportError as error:
        return f"numba cannot be imported ({error}); pip install --upgrade numba"
    return None


def _is_kept(kernel: Any) -> bool:
    """Whether numba has this kernel on disk, from an earlier run."""
    folder = kernel.stats.cache_path
    return folder is not None and any(Path(folder).glob(f"*.{kernel.py_func.__name__}-*.nbi"))

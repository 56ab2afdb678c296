"""uumamba demo: the whole loop on generated beating hearts."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from uumamba.config import config_for
from uumamba.core.console import make_console
from uumamba.core.errors import InputError
from uumamba.core.files import write_text
from uumamba.core.log import log
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.data.work_folder import held_out_cases
from uumamba.workflows.evaluate import evaluate
from uumamba.workflows.infer import infer
from uumamba.workflows.preprocess import preprocess
from uumamba.workflows.train import train

_PATIENTS = 10
_FOLD = "0"
_MARK = "uumamba-demo.txt"
_OWN = (_MARK, "data", "work", "predictions", "evaluation")


def demo(output: Path, *, overwrite: bool, overrides: Sequence[str] = ()) -> None:
    """Generate patients, preprocess, train, infer and evaluate the held-out fold, and say where everything is.

    Raises `InputError` if `output` holds something and `overwrite` is not set, or something that is not a demo's.
    """
    started = time.perf_counter()
    config = config_for(ACDC.name, "demo", overrides)
    _make_room(output, overwrite=overwrite)
    data, work = output / "data", output / "work"
    patients = write_phantom_acdc(data, patients=_PATIENTS, seed=1, size=PhantomSize())
    log.info("generated %d patients with beating hearts in %s", len(patients), data)
    preprocess("acdc", data, work, config)
    run = train("acdc", work, "demo", config, folds=(_FOLD,))[0]
    held_out = held_out_cases(work, "acdc", _FOLD)
    infer([run.path], [data], output / "predictions", only=held_out)
    evaluate(
        output / "predictions", data, output / "evaluation", dataset_name=ACDC.name, label_file=None, only=held_out
    )
    places = {
        "data": data,
        "training curves": run.curves,
        "model": run.bundle,
        "label maps": output / "predictions",
        "tables": output / "evaluation",
        "picture of the result": output / "evaluation" / "overlay_middle.png",
    }
    console = make_console()
    console.print(f"The whole loop took {time.perf_counter() - started:.0f} s.")
    for name, place in places.items():
        console.print(f"  {name + ':':<23}{place}", markup=False, soft_wrap=True)


def _make_room(output: Path, *, overwrite: bool) -> None:
    """Make the folder with a mark in it, or empty it if the mark of an earlier demo is there; never touch another."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give a folder as --output")
    if output.exists() and any(output.iterdir()):
        found = sorted(path.name for path in output.iterdir())
        foreign = [name for name in found if name not in _OWN or _MARK not in found]
        if foreign:
            raise InputError(
                f"{output}: holds what is not the demo's ({', '.join(foreign[:3])}); give another --output"
            )
        if not overwrite:
            raise InputError(f"{output}: holds an earlier demo; give another --output, or --overwrite to replace it")
        shutil.rmtree(output)
    write_text(output / _MARK, "Made by `uumamba demo`, which replaces this whole folder with --overwrite.\n")

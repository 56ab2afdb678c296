"""uumamba demo: the whole loop on generated beating hearts."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from uumamba.config import config_for
from uumamba.core.console import make_console
from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.data.work_folder import validation_cases
from uumamba.workflows.evaluate import evaluate
from uumamba.workflows.infer import infer
from uumamba.workflows.preprocess import preprocess
from uumamba.workflows.train import train

_PATIENTS = 10
_FOLD = "0"
_FOLDERS = ("data", "work", "predictions", "evaluation")


def demo(output: Path, *, overwrite: bool, overrides: Sequence[str] = ()) -> None:
    """Generate patients, preprocess, train, infer and evaluate the held-out fold, and say where everything is.

    Raises `InputError` if `output` holds something and `overwrite` is not set, or something that is not a demo's.
    """
    started = time.perf_counter()
    _make_room(output, overwrite=overwrite)
    data, work = output / "data", output / "work"
    patients = write_phantom_acdc(data, patients=_PATIENTS, seed=1, size=PhantomSize())
    log.info("generated %d patients with beating hearts in %s", len(patients), data)
    config = config_for(ACDC.name, "demo", overrides)
    preprocess("acdc", data, work, config)
    run = train("acdc", work, "demo", config, fold=_FOLD, resume_run=False, overwrite=False)
    held_out = validation_cases(work, "acdc", _FOLD)
    infer(
        [run.path],
        [data],
        output / "predictions",
        resume=False,
        overlap=0.5,
        mirror=False,
        device_name="auto",
        only=held_out,
    )
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
    """Remove an earlier demo, and never anything else."""
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"{output}: is a file; give a folder as --output")
    found = sorted(path.name for path in output.iterdir())
    if foreign := [name for name in found if name not in _FOLDERS]:
        raise InputError(f"{output}: holds what is not the demo's ({', '.join(foreign[:3])}); give another --output")
    if found and not overwrite:
        raise InputError(f"{output}: holds an earlier demo; give another --output, or --overwrite to replace it")
    for name in found:
        shutil.rmtree(output / name)

"""uumamba export: a bundle in the form of another program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.inference.bundle import read_bundle
from uumamba.inference.exports.table import find_exporter

_WHOLE = "there the whole image is segmented"


def export(model: Path, output: Path, *, target: str) -> None:
    """Write a run's or a file's bundle into the folder `output`, which must be empty or not there.

    After an error nothing of it is written.
    """
    exporter = find_exporter(target)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: is there and not an empty folder; name another one with --output")
    bundle = read_bundle(model)
    with _whole(output) as unfinished:
        notice = exporter(bundle, unfinished)
    log.info("%s: written for %s, research use only. %s", output, target, notice)
    if bundle.description.roi is not None:
        log.warning("%s: the coarse network that finds the region of interest is not exported: %s", output, _WHOLE)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Give another folder to write into, which becomes `folder` when the block ends well.

    A folder that is there already, perhaps a mount point, is kept and filled.
    """
    place = folder if folder.exists() else folder.parent
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place, prefix=f".{folder.name}-") as temporary:
        unfinished = Path(temporary) / "unfinished"
        unfinished.mkdir()
        yield unfinished
        if place != folder:
            unfinished.rename(folder)
            return
        for entry in unfinished.iterdir():
            entry.rename(folder / entry.name)

"""One case, read with everything that is wrong with it by itself; `preprocess` and `check` read with the same eyes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from uumamba.core.errors import UumambaError
from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.case_reading import frame_of, read_label_frame
from uumamba.data.checks.grids import grid_problems
from uumamba.data.checks.labels import count_labels, label_problems
from uumamba.data.problem import Problem, problem_of
from uumamba.imaging.files import read_image
from uumamba.imaging.image import Image


@dataclass(frozen=True, eq=False)
class ReadCase:
    """A case's images and label map, None where they could not be read, and all problems that were met.

    `label_counts` is number -> voxels of the label map, background left out; None without one.
    """

    images: tuple[Image | None, ...]
    label_map: Image | None
    label_counts: dict[int, int] | None
    problems: tuple[Problem, ...]

    @property
    def blocks(self) -> tuple[Problem, ...]:
        """The problems for which the case cannot be used."""
        return tuple(problem for problem in self.problems if problem.blocks)


def read_case(
    case: Case, labels: LabelSet | None, *, reference_required: bool = True, max_dimensions: int = 3
) -> ReadCase:
    """Read a case's files and check each, their grids and the labels; raises nothing for what is wrong with them.

    Without `labels` (numbers of no known meaning) the label map's values are not compared with a set. `max_dimensions`
    is that of `read_image`.
    """
    problems: list[Problem] = []
    images = _read_images(case, max_dimensions, problems)
    reader = partial(read_label_frame, frame=case.label_frame)
    label_map = None if case.label_map is None else _read(case.label_map, reader, problems)
    if case.label_map is None and reference_required:
        fix = "give its label map, or leave the case out"
        problems.append(Problem(case.images[0], "no reference label map", fix, kind="no_reference"))
    files = zip((*case.images, case.label_map), (*images, label_map), strict=True)
    whole = [(path, image) for path, image in files if path is not None and image is not None]
    if images and images[0] is not None:
        problems += grid_problems(whole[0], whole[1:])
    counts = None if label_map is None else count_labels(label_map.data)
    if counts is not None and case.label_map is not None and labels is not None:
        problems += label_problems(case.label_map, counts, labels)
    for path, image in whole:
        problems += _notes(path, image)
    return ReadCase(images, label_map, counts, tuple(problems))


def _read_images(case: Case, max_dimensions: int, problems: list[Problem]) -> tuple[Image | None, ...]:
    """An image or None per channel; a file of several channels is read once."""
    dimensions = max_dimensions if case.frames is None else 4
    reader = partial(read_image, max_dimensions=dimensions, keep_integers=True)
    files = {path: _read(path, reader, problems) for path in dict.fromkeys(case.images)}
    if case.frames is None:
        return tuple(files[path] for path in case.images)
    images: list[Image | None] = []
    for path, frame in zip(case.images, case.frames, strict=True):
        series = files[path]
        images.append(None if series is None else _read(path, partial(_frame, series, frame), problems))
    return tuple(images)


def _frame(series: Image, frame: int, path: Path) -> Image:
    return frame_of(series, frame, path)


def _read(path: Path, reader: Callable[[Path], Image], problems: list[Problem]) -> Image | None:
    try:
        return reader(path)
    except UumambaError as error:
        problems.append(problem_of(error, path))
    except MemoryError:
        what = "there is not enough memory to read it"
        problems.append(Problem(path, what, "use a machine or job with more memory", kind="crash"))
    return None


def _notes(path: Path, image: Image) -> Iterator[Problem]:
    for repair in image.repairs:
        yield Problem(path, repair, "nothing to do: it is read so every time", blocks=False, kind="header_repaired")
    if image.data.ndim > 3:
        what = f"a time series of {image.data.shape[3]} volumes"
        yield Problem(
            path, what, "`uumamba infer` takes it; to train, write a file per volume", blocks=False, kind="series"
        )

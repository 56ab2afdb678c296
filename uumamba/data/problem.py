"""One thing that is wrong, or worth knowing, with a data set's files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uumamba.core.errors import GeometryError, InputError, IntensityError, LabelError, UumambaError

Severity = Literal["blocks", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("blocks", "warning", "note")

KINDS = {
    "layout": "the folder, its tables or its file names are not as the data set's should be",
    "missing": "a file that should be there is not",
    "no_reference": "a training image without label map",
    "unreadable": "empty, cut or damaged file, a Git-LFS pointer, or no image at all",
    "geometry": "2D, 4D or 5D, sheared axes, or a spacing that cannot be",
    "not_finite": "NaN or infinite voxels",
    "crash": "the file ended the process that read it, or memory ended",
    "other_format": "an image in a format that is not read",
    "series": "a time series, which training does not take",
    "grid": "channels or label map on another grid than the case's first image",
    "labels": "labels that are not whole, or not in the set",
    "empty_labels": "a label map without any structure",
    "absent_structure": "a structure that most label maps do not have",
    "outside_image": "labelled voxels where the image is blank",
    "constant": "an image of one value",
    "units": "a CT that is not in Hounsfield units",
    "intensity_range": "intensities on another scale than those of nearly all other cases",
    "spacing": "another voxel size than nearly all other cases",
    "orientation": "axes stored in another order or sense than those of nearly all other cases",
    "same_image": "the same voxels under two names",
    "same_labels": "the same label map for two images",
    "patient_on_both_sides": "a patient on both sides of a split",
    "few_patients": "fewer patients than folds",
    "same_name": "two cases of one name",
    "header_repaired": "a header that contradicted itself and was put right in reading",
}  # fmt: skip
"""Every kind of problem, and what it is."""

_NOTES = ("series", "header_repaired")
_NO_FIX, _NO_FILE = "export or copy it again", "restore it"
_READING_KINDS: tuple[tuple[type[UumambaError], str], ...] = (
    (GeometryError, "geometry"),
    (IntensityError, "not_finite"),
    (LabelError, "labels"),
)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `file`, `what` it is, and the `fix`; no case can be trusted until one that `blocks` is.

    Others are worth a look, and do not keep anything from being done. `kind` is one of `KINDS`.
    """

    file: Path
    what: str
    fix: str
    blocks: bool = True
    kind: str = "layout"

    @property
    def severity(self) -> Severity:
        """Preprocessing refuses it or results would be wrong; a look is needed; or nothing needs to be done."""
        if self.blocks:
            return "blocks"
        return "note" if self.kind in _NOTES else "warning"

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.file}: {self.what}; {self.fix}"


class ProblemError(InputError):
    """The one problem that keeps something from being read."""

    def __init__(self, file: Path, what: str, fix: str) -> None:
        self.problem = Problem(file, what, fix)
        super().__init__(self.problem.sentence)


def problem_of(error: UumambaError, file: Path) -> Problem:
    """The problem that reading `file` met: the error's sentence, whose last part by rule is the way out."""
    text = str(error).removeprefix(f"{file}: ")
    if not file.exists():
        return Problem(file, text, _NO_FILE, kind="missing")
    kind = next((kind for type_, kind in _READING_KINDS if isinstance(error, type_)), "unreadable")
    what, semicolon, fix = text.rpartition("; ")
    return Problem(file, what if semicolon else text, fix if semicolon else _NO_FIX, kind=kind)

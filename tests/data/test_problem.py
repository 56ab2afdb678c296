"""An error's sentence as a problem."""

from pathlib import Path

import pytest

from uumamba.core.errors import GeometryError, InputError, IntensityError, LabelError
from uumamba.data.problem import Problem, problem_of


@pytest.mark.parametrize(
    ("kind", "error"),
    [("geometry", GeometryError), ("not_finite", IntensityError), ("labels", LabelError), ("unreadable", InputError)],
)
def test_the_errors_type_is_the_kind_and_its_last_part_the_fix(
    kind: str, error: type[InputError], tmp_path: Path
) -> None:
    file = tmp_path / "a.nii"
    file.touch()
    problem = problem_of(error(f"{file}: it is broken; so it is; mend it"), file)
    assert problem == Problem(file, "it is broken; so it is", "mend it", True, kind)
    assert problem.severity == "blocks"
    assert problem.sentence == f"{file}: it is broken; so it is; mend it"


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "a.nii"
    problem = problem_of(InputError(f"{file}: no such file"), file)
    assert (problem.kind, problem.what, problem.fix) == ("missing", "no such file", "restore it")


def test_a_sentence_without_way_out_gets_one(tmp_path: Path) -> None:
    file = tmp_path / "a.nii"
    file.touch()
    assert problem_of(InputError(f"{file}: it is broken"), file).fix == "export or copy it again"


def test_what_does_not_block_is_a_warning_or_a_note() -> None:
    file = Path("a.nii")
    assert Problem(file, "odd", "look", blocks=False).severity == "warning"
    assert Problem(file, "repaired", "nothing", blocks=False, kind="header_repaired").severity == "note"

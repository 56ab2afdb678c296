"""The whole loop on generated hearts, and folders that it must leave alone."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tests.fakes import program
from tests.fakes.folders import contents


def demo(output: Path, *options: str) -> int:
    """`uumamba demo` with tiny settings; one window a slice, as its images are larger than the tests' own."""
    tiny = program.settings("training.epochs=1", "plan.patch_size=[96,96]")
    return program.uumamba("demo", "--output", output, *tiny, *options)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that ended early: ten patients cannot make eleven folds."""
    output = tmp_path_factory.mktemp("shown") / "demo"
    assert demo(output, "--set", "planning.folds=11") == 2
    assert contents(output)
    return output


@pytest.fixture(scope="module")
def shown(stopped: Path) -> tuple[Path, str]:
    """A finished demo's folder, where it replaced the one that ended early, and what it said."""
    assert demo(stopped) == 2
    with redirect_stdout(io.StringIO()) as said:
        assert demo(stopped, "--overwrite") == 0
    return stopped, said.getvalue()


def test_the_demo_makes_everything(shown: tuple[Path, str]) -> None:
    output, _ = shown
    run = program.run_folder(output / "work", "demo")
    for file in (
        run / "model.safetensors", run / "curves.png", output / "predictions" / "cases.csv",
        output / "evaluation" / "clinical.csv", output / "evaluation" / "overlay_middle.png",
    ):  # fmt: skip
        assert file.is_file(), file
    assert len(list((output / "data").glob("database/training/*/Info.cfg"))) == 10
    assert len(list((output / "predictions").glob("*.nii.gz"))) == 4


def test_the_demo_says_where_everything_is(shown: tuple[Path, str]) -> None:
    output, said = shown
    places = [Path(line.split(": ", 1)[1].strip()) for line in said.splitlines() if str(output) in line]
    assert len(places) >= 6
    assert all(place.exists() for place in places)
    assert "Research use only." in said


def test_a_second_demo_asks_first(shown: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    output, _ = shown
    before = contents(output)
    assert demo(output) == 2
    assert "--overwrite to replace it" in capsys.readouterr().err
    assert contents(output) == before


def test_a_wrong_setting_never_deletes_the_old_demo(shown: tuple[Path, str]) -> None:
    output, _ = shown
    before = contents(output)
    assert demo(output, "--overwrite", "--set", "training.epochs=none") == 2
    assert contents(output) == before


@pytest.mark.parametrize("name", ["notes.txt", "data/patient.nii.gz", "work/acdc/folds.json", "evaluation/scores.csv"])
@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_folder_that_is_not_a_demos_is_left_alone(
    name: str, options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    assert demo(tmp_path, *options) == 2
    assert f"uumamba: {tmp_path}: " in capsys.readouterr().err
    assert contents(tmp_path).keys() == {name}
    assert file.read_text() == "mine"


def test_a_users_file_in_a_demo_is_never_deleted(shown: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    output, _ = shown
    file = output / "my notes.txt"
    file.write_text("mine")
    try:
        before = contents(output)
        assert demo(output, "--overwrite") == 2
        assert "my notes.txt" in capsys.readouterr().err
        assert contents(output) == before
    finally:
        file.unlink()


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo").write_text("mine")
    assert demo(tmp_path / "demo", "--overwrite") == 2
    assert "give a folder as --output" in capsys.readouterr().err
    assert (tmp_path / "demo").read_text() == "mine"

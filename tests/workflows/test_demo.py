"""The whole loop on generated hearts, and folders that it must leave alone."""

from pathlib import Path

import pytest

from tests.fakes import program
from tests.fakes.folders import contents


def demo(output: Path, *options: str) -> int:
    """`uumamba demo` with tiny settings."""
    return program.uumamba("demo", "--output", output, *options, *program.settings("training.epochs=1"))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished demo's folder."""
    output = tmp_path_factory.mktemp("shown") / "demo"
    assert demo(output) == 0
    return output


def test_the_demo_makes_everything_and_says_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shown: Path
) -> None:
    run = program.run_folder(shown / "work", "demo")
    for file in (
        run / "model.safetensors", run / "curves.png", shown / "predictions" / "cases.csv",
        shown / "evaluation" / "clinical.csv", shown / "evaluation" / "overlay_middle.png",
    ):  # fmt: skip
        assert file.is_file(), file
    assert len(list((shown / "data").glob("database/training/*/Info.cfg"))) == 10
    assert len(list((shown / "predictions").glob("*.nii.gz"))) == 4


def test_a_second_demo_asks_first_and_then_replaces_the_first(shown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(shown)
    assert demo(shown) == 2
    assert "--overwrite to replace it" in capsys.readouterr().err
    assert demo(shown, "--overwrite", "--set", "training.epochs=none") == 2
    assert contents(shown) == before
    capsys.readouterr()
    assert demo(shown, "--overwrite") == 0
    lines = capsys.readouterr().out.splitlines()
    places = [Path(line.split(": ", 1)[1].strip()) for line in lines if str(shown) in line]
    assert len(places) == 6
    assert all(place.exists() for place in places)
    assert {name for name in contents(shown) if "/runs/" not in name} == {
        name for name in before if "/runs/" not in name
    }


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


def test_a_users_file_in_a_demo_is_never_deleted(shown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shown / "my notes.txt"
    file.write_text("mine")
    try:
        before = contents(shown)
        assert demo(shown, "--overwrite") == 2
        assert "my notes.txt" in capsys.readouterr().err
        assert contents(shown) == before
    finally:
        file.unlink()


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo").write_text("mine")
    assert demo(tmp_path / "demo", "--overwrite") == 2
    assert "give a folder as --output" in capsys.readouterr().err

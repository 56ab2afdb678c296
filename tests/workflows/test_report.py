"""`uumamba report`: a page of whatever a command wrote, and one clear line for any other folder."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from tests.fakes import program
from tests.fakes.folders import contents
from tests.fakes.html_page import ParsedPage, require_safe
from uumamba.imaging.files import image_stem

NAME = "<b>case &amp; 1"


def read(path: Path) -> ParsedPage:
    """A page that was written."""
    return require_safe(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def predicted(run: Path, images: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of an image with a strange name and of a file that is none."""
    source, output = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("predicted")
    shutil.copy(images[0], source / f"{NAME}.nii.gz")
    (source / "broken.nii.gz").write_text("no image")
    assert program.uumamba("infer", "--model", run, "--input", source, "--output", output, "--device", "cpu") == 3
    return output


def test_the_page_of_predictions_shows_the_cases_and_draws_them(predicted: Path, tmp_path: Path) -> None:
    before = contents(predicted)
    target = tmp_path / "new" / "page.html"
    assert program.uumamba("report", predicted, "--output", target) == 0
    assert contents(predicted) == before
    page = read(target)
    assert re.search(r"2 cases (1 ok 0|0 ok 1) flagged 1 failed", page.texts("ul")[0])
    (image,) = page.all("img")
    assert image.attributes["alt"] == NAME
    assert any("broken.nii.gz" in text for text in page.texts("td"))


def test_a_case_whose_image_is_gone_says_so_in_the_place_of_its_picture(predicted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(predicted, tmp_path / "copy"))
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"input": "moved.nii.gz"} for row in rows)
    assert program.uumamba("report", folder) == 0
    page = read(folder / "report.html")
    assert not page.all("img")
    assert any(text.startswith(f"{NAME}: no picture: moved.nii.gz: ") for text in page.texts("p"))


def test_the_page_of_a_run_has_its_model_card(run: Path, tmp_path: Path) -> None:
    assert program.uumamba("report", run, "--output", tmp_path / "run.html") == 0
    page = read(tmp_path / "run.html")
    assert "Model card" in page.texts("h2")
    assert any("Licence of the data: CC BY-NC-SA 4.0" in text for text in page.texts("li"))
    assert len(page.all("img")) >= 1


def test_an_evaluation_writes_its_page_and_report_writes_the_same_again(
    data: Path, images: tuple[Path, ...], tmp_path: Path
) -> None:
    predictions, output = tmp_path / "predictions", tmp_path / "evaluation"
    predictions.mkdir()
    for image in images[:1]:
        shutil.copy(image.with_name(f"{image_stem(image)}_gt.nii.gz"), predictions / image.name)
    source = ("--predictions", predictions, "--references", data / "database" / "testing")
    assert program.uumamba("evaluate", *source, "--output", output, "--dataset", "acdc") == 3
    first = (output / "report.html").read_bytes()
    page = read(output / "report.html")
    assert page.texts("h2")[:3] == ["Summary", "Failed cases", "Function of the heart"]
    assert any(image_stem(images[1]) in text and "no prediction" in text for text in page.texts("tr"))
    assert len(page.all("img")) >= 1
    assert program.uumamba("report", output) == 0
    assert (output / "report.html").read_bytes() == first
    assert program.uumamba("evaluate", *source, "--output", output, "--dataset", "acdc") == 3


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    [
        ("nowhere", (), "nowhere: no such folder; give a folder that `uumamba evaluate`"),
        ("empty", (), "empty: nothing to report here; give a folder that `uumamba evaluate` (scores.csv)"),
        ("predicted", ("--output", "empty"), "empty: is a folder; give a file's name as --output"),
    ],
)
def test_what_cannot_be_reported_is_one_line(
    folder: str,
    options: tuple[str, ...],
    message: str,
    predicted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    shutil.copytree(predicted, tmp_path / "predicted")
    before = contents(tmp_path)
    assert program.uumamba("report", folder, *options) == 2
    assert f"uumamba: {message}" in capsys.readouterr().err
    assert contents(tmp_path) == before

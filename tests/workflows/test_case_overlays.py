"""Pictures of the predictions to look at first."""

import csv
from pathlib import Path

import numpy as np
import pytest

from uumamba.core.files import write_json
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image
from uumamba.reporting.html.page import Note, Picture
from uumamba.workflows import case_overlays
from uumamba.workflows.case_overlays import overlays_of_predictions


def write_case(folder: Path, name: str, *, label: int = 2, shape: tuple[int, int, int] = (9, 8, 7)) -> dict[str, str]:
    """An image with its label map, and their row."""
    image = Image(np.random.default_rng(0).normal(size=shape).astype(np.float32), np.diag([1.5, 1.5, 8.0, 1.0]))
    labels = np.zeros(shape, dtype=np.uint8)
    labels[2:5, 2:5, 1:6] = label
    source, target = folder / f"{name}_image.nii.gz", folder / f"{name}.nii.gz"
    write_image(source, image)
    write_label_map(target, labels, image)
    return {"case": name, "status": "ok", "input": f"{source}; {source}", "output": str(target)}


def write_table(folder: Path, rows: list[dict[str, str]]) -> None:
    """`cases.csv` of these rows."""
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["case", "status", "input", "output"])
        writer.writeheader()
        writer.writerows(rows)


def test_at_most_six_cases_are_drawn_flagged_ones_first(tmp_path: Path) -> None:
    rows = [write_case(tmp_path, f"case {number}") for number in range(8)]
    rows[7]["status"], rows[0]["status"] = "flagged", "failed"
    write_table(tmp_path, rows)
    blocks = overlays_of_predictions(tmp_path)
    assert [block.alt for block in blocks if isinstance(block, Picture)] == [
        "case 7", "case 1", "case 2", "case 3", "case 4", "case 5",
    ]  # fmt: skip


def test_without_a_bundle_structures_are_numbered_and_a_model_that_is_gone_is_no_error(tmp_path: Path) -> None:
    write_table(tmp_path, [write_case(tmp_path, "case", label=4)])
    write_json(tmp_path / "run.json", {"models": [{"path": "gone.safetensors"}]})
    (block,) = overlays_of_predictions(tmp_path)
    assert isinstance(block, Picture)


def test_what_cannot_be_drawn_has_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [write_case(tmp_path, "good"), write_case(tmp_path, "gone"), write_case(tmp_path, "broken")]
    rows.append(write_case(tmp_path, "large", shape=(30, 30, 8)))
    Path(rows[1]["output"]).unlink()
    Path(rows[2]["output"]).write_text("no image")
    write_table(tmp_path, rows)
    monkeypatch.setattr(case_overlays, "_MOST_VOXELS", 2000)
    picture, *notes = overlays_of_predictions(tmp_path)
    assert isinstance(picture, Picture)
    texts = [note.text for note in notes if isinstance(note, Note)]
    assert [text.split(": no picture: ")[0] for text in texts] == ["gone", "broken", "large"]
    assert "30 x 30 x 8 voxels are too many to draw in a report" in texts[2]

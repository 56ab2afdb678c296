"""evaluation.json: the fields that `docs/evaluation.md` promises, ready for JSON, with a reason for every null."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uumamba.core.files import read_json
from uumamba.data.case import Case
from uumamba.evaluation.document import Origin, Picture, document, write_document
from uumamba.evaluation.evaluate import evaluate_folders
from uumamba.evaluation.label_match import LabelMatch
from uumamba.evaluation.output_folder import require_schema
from uumamba.evaluation.quantities import QUANTITIES
from uumamba.imaging.files import write_label_map
from uumamba.imaging.image import Image

LABELS = LabelMatch({"RV": (1,), "MYO": (2,), "LV": (3,)}, {"LV": (1,), "MYO": (2,)}, optional=frozenset({"MYO"}))
DOCS = Path(__file__).parents[2] / "docs" / "evaluation.md"


def save(path: Path, boxes: dict[int, slice]) -> None:
    labels = np.zeros((20, 12, 3), dtype=np.uint8)
    for number, box in boxes.items():
        labels[box, 2:9] = number
    path.parent.mkdir(parents=True, exist_ok=True)
    write_label_map(path, labels, Image(data=labels, affine=np.diag([2.0, 2.0, 8.0, 1.0])))


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    """Two patients at two phases; one prediction is missing, and no muscle is labelled at end-systole."""
    for patient, size in (("p", 6), ("q", 8)):
        for phase in ("ED", "ES"):
            smaller = size - 3 * (phase == "ES")
            wall = {2: slice(12, 15)} if phase == "ED" else {}
            save(tmp_path / "r" / f"{patient}_{phase}_gt.nii.gz", {1: slice(2, 2 + smaller), **wall})
            save(tmp_path / "r" / f"{patient}_{phase}.nii.gz", {})
            save(tmp_path / "p" / f"{patient}_{phase}.nii.gz", {3: slice(2, 3 + smaller), 2: slice(12, 15)})
    (tmp_path / "p" / "q_ES.nii.gz").unlink()
    save(tmp_path / "p" / "stranger.nii.gz", {})
    cases = [Case(f"{p}_{phase}", p, (), None, {"phase": phase}) for p in "pq" for phase in ("ED", "ES")]
    evaluation = evaluate_folders(tmp_path / "p", tmp_path / "r", LABELS, cases=cases)
    pictures = [
        Picture(tmp_path / "dice.png", "dice"),
        Picture(tmp_path / "overlay_best.png", "overlay", "p_ED", "best"),
    ]
    origin = Origin(tmp_path / "p", tmp_path / "r", "acdc", tmp_path / "labels.yaml")
    path = write_document(evaluation, tmp_path / "out", origin, pictures)
    assert read_json(path) == json.loads(json.dumps(document(evaluation, origin, pictures)))
    found: dict[str, Any] = read_json(path)
    return found


def test_its_fields_are_those_that_the_documentation_names(content: dict[str, Any]) -> None:
    require_schema(content, Path("evaluation.json"))
    described = DOCS.read_text(encoding="utf-8").split("## evaluation.json")[1].split("\n## ")[0]
    names = {name for code in re.findall(r"`([^`]+)`", described) for name in re.findall(r"\w+", code)}
    for branch in (content, content["summary"], *content["cases"], content["clinical"], content["confidence"]):
        for field in branch:
            assert field in names, field
    for name in QUANTITIES:
        assert name in names
    structure = content["summary"]["structures"][0]
    for field in (*structure, *structure["metrics"]["dice"], *structure["metrics"]["dice"]["interval"]):
        assert field in names, field


def test_what_was_compared(content: dict[str, Any]) -> None:
    assert [each["name"] for each in content["structures"]] == ["MYO", "LV"]
    assert content["structures"][0]["optional"]
    assert content["not_compared"] == {"predictions": ["RV"], "references": []}
    assert content["origin"]["groups"] is None
    assert content["origin"]["label_file"].endswith("labels.yaml")
    assert [Path(path).name for path in content["predictions_without_reference"]] == ["stranger.nii.gz"]


def test_its_cases(content: dict[str, Any]) -> None:
    cases = {each["case"]: each for each in content["cases"]}
    assert list(cases) == ["p_ED", "p_ES", "q_ED", "q_ES"]
    good, lost = cases["p_ES"], cases["q_ES"]
    assert (good["status"], good["patient"], good["groups"], good["reason"]) == ("scored", "p", {"phase": "ES"}, None)
    assert Path(good["image"]).name == "p_ES.nii.gz"
    assert good["scores"]["MYO"]["outcome"] == "not labelled"
    assert good["scores"]["MYO"]["metrics"]["dice"] is None
    assert good["scores"]["LV"]["metrics"]["volume_error_percent"] == pytest.approx(100 / 3)
    assert good["mean_dice"] == good["scores"]["LV"]["metrics"]["dice"]
    assert (lost["status"], lost["reason"], lost["prediction"], lost["mean_dice"]) == (
        "failed", "no prediction", None, None
    )  # fmt: skip
    assert content["failed"] == {"q_ES": "no prediction"}


def test_its_summaries_and_groups(content: dict[str, Any]) -> None:
    muscle, cavity = content["summary"]["structures"]
    assert (muscle["not_labelled"], muscle["failed"], cavity["failed"], cavity["found"]) == (1, 1, 1, 3)
    assert cavity["metrics"]["volume_error_ml"]["interval"]["low"] is not None
    assert content["summary"]["overall"].keys() == {"dice", "hd_mm", "hd95_mm", "assd_mm", "nsd"}
    first = content["groups"][0]
    assert (first["column"], first["group"], first["structure"]) == ("phase", "ED", "MYO")
    assert first["metrics"]["dice"]["interval"] == {"low": None, "high": None, "reason": "needs 3 patients, got 2"}


def test_its_clinical_table_and_confidence(content: dict[str, Any]) -> None:
    measures = {each["measure"]: each for each in content["clinical"]["measures"]}
    assert measures["lv_edv_ml"]["n"] == 2
    assert measures["lv_edv_ml"]["bias"] == pytest.approx(7 * 3 * 32 / 1000)
    assert (measures["lv_edv_ml"]["pearson"], measures["lv_edv_ml"]["pearson_reason"]) == (
        None,
        "needs 3 patients, got 2",
    )
    assert measures["lv_ef_percent"]["unmeasured"] == {"q": "prediction: at ES no prediction"}
    assert content["clinical"]["patients"]["p"]["lv_esv_ml"]["difference"] == pytest.approx(7 * 3 * 32 / 1000)
    assert content["confidence"]["reason"] == "no cases.csv beside the predictions"
    assert content["confidence"]["structures"] == []
    assert content["pictures"][1] == {"file": "overlay_best.png", "kind": "overlay", "case": "p_ED", "rank": "best"}

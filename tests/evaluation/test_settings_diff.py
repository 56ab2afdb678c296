"""What makes two trainings unequal rivals is told."""

from pathlib import Path
from typing import Any

from uumamba.evaluation.result import Result
from uumamba.evaluation.settings_diff import (
    different_settings,
    fold_warnings,
    nested_differences,
    record_differences,
    rivalry_warnings,
)


def made(**settings: Any) -> dict[str, Any]:
    """A run record."""
    configuration = {"seed": 0, "rule": {"name": "plain"}, "training": {"epochs": 8}, "hardware": {"threads": 1}}
    plan = {"configuration": "2d", "spacing_mm": [1.0, 1.0, 5.0]}
    base = {"split": {"training": ["x"]}, "data_hash": "abc", "precision": "bf16", "git": "1", "plan": plan}
    return base | {"configuration": configuration} | settings


def result(*records: dict[str, Any], unfinished: tuple[str, ...] = ()) -> Result:
    """A result of folds 0, 1, ... with these records."""
    return Result(Path("run"), {}, {}, {str(fold): record for fold, record in enumerate(records)}, {}, unfinished)


def test_settings_by_their_dotted_names() -> None:
    other = made(
        configuration={"seed": 0, "rule": {"name": "sam", "rho": 0.05}, "training": {"epochs": 17}, "hardware": {}},
        precision="fp32",
    )
    assert different_settings(result(made()), result(other)) == {
        "rule.name": ("plain", "sam"),
        "training.epochs": (8, 17),
        "hardware.threads": (1, "not there"),
        "rule.rho": ("not there", 0.05),
        "precision": ("bf16", "fp32"),
        "hardware": ("not there", {}),
    }
    assert record_differences(other, other) == {}
    assert different_settings(result(), result(made())) == {}


def test_settings_and_branches_that_do_not_count() -> None:
    one = {
        "hardware": {"threads": 1, "plan": {"batch": 2}},
        "hard": 1,
        "training": {"epochs": 8, "minutes": 5},
        "fit": None,
    }
    other = {"hardware": None, "hard": 2, "training": {"epochs": 9, "minutes": 6}, "average": None}
    everything = nested_differences(one, other)
    assert list(everything) == [
        "hardware.threads",
        "hardware.plan.batch",
        "hard",
        "training.epochs",
        "training.minutes",
    ]
    assert everything["hardware.plan.batch"] == (2, "not there")
    assert nested_differences(one, other, skip=("hardware", "training.minutes")) == {
        "hard": (1, 2),
        "training.epochs": (8, 9),
    }
    assert nested_differences({"loss": None}, {"loss": {"name": "dice"}}) == {"loss.name": ("not there", "dice")}
    assert nested_differences({"loss": None}, {"loss": {}}) == {"loss": (None, {})}


def test_other_splits_data_folds_and_grids() -> None:
    assert rivalry_warnings(result(made()), result(made())) == []
    assert rivalry_warnings(result(made()), result(made(split={}))) == ["A and B were trained on other splits (fold 0)"]
    assert rivalry_warnings(result(made()), result(made(data_hash="x"))) == [
        "A and B were trained on other data (fold 0)"
    ]
    assert rivalry_warnings(result(made()), result(made(), made())) == ["A has the folds 0, B 0, 1"]
    coarse = made(plan={"configuration": "2d", "spacing_mm": [2.0, 2.0, 5.0]})
    assert rivalry_warnings(result(made()), result(coarse)) == [
        "A and B were validated on grids of different spacing; run `uumamba evaluate` for both"
    ]


def test_an_evaluation_tells_nothing_of_its_training() -> None:
    warnings = rivalry_warnings(result(made()), result())
    assert warnings[0] == "B is an evaluation: make sure that its model was not trained on these cases"
    assert warnings[1].startswith("the run's Dice was taken at its plan's spacing, the evaluation's on the images' own")
    assert len(warnings) == 2


def test_unfinished_and_unlike_folds() -> None:
    assert rivalry_warnings(result(made(), unfinished=("3",)), result(made())) == [
        "A: no validation yet of fold 3, which is left out"
    ]
    longer = made(configuration=made()["configuration"] | {"training": {"epochs": 9}, "hardware": {"threads": 4}})
    assert fold_warnings(result(made(), made(git="2"), longer)) == [
        "fold 2 was trained with other settings than fold 0: training.epochs (8, 9)"
    ]
    assert rivalry_warnings(result(made(), longer), result(made(), longer))[0].startswith("A: fold 1 was trained with")

"""The fakes of all data sets are good data: of them nothing is told that blocks or asks for a look at their voxels."""

import importlib
from pathlib import Path

import pytest

from uumamba.data.checks.cases import CasesToCheck, all_problems
from uumamba.data.datasets.table import DATASETS


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_a_good_data_set_has_notes_at_most(name: str, tmp_path: Path) -> None:
    importlib.import_module(f"tests.fakes.{name}").write_fake(tmp_path)
    listing = DATASETS[name].list_cases(tmp_path)
    cases = CasesToCheck(
        tmp_path,
        listing.training,
        listing.test,
        dataset=DATASETS[name].description,
        folds=listing.folds or 2,
        one_person=listing.one_person,
    )
    assert cases.training
    training = [cases.check_training(case) for case in cases.training]
    test = [cases.check_test(case) for case in cases.test]
    problems = all_problems(cases, training, test)
    assert [problem.sentence for problem in problems if problem.severity != "note"] == []

"""The history as CSV."""

from pathlib import Path

from uumamba.training.history import Row, read_history, write_history


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows: list[Row] = [{"epoch": 1, "loss_training": 0.1 + 0.2, "dice_RV": None}, {"epoch": 2, "dice_RV": 1e-17}]
    write_history(tmp_path / "run" / "history.csv", rows)
    assert read_history(tmp_path / "run" / "history.csv") == [
        {"epoch": 1.0, "loss_training": 0.1 + 0.2, "dice_RV": None},
        {"epoch": 2.0, "loss_training": None, "dice_RV": 1e-17},
    ]


def test_a_column_may_come_later_and_stands_behind_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    write_history(path, [{"epoch": 1, "seconds": 2.0}, {"epoch": 2, "dice_RV": 0.5, "seconds": 3.0}])
    assert path.read_bytes() == b"epoch,seconds,dice_RV\n1,2.0,\n2,3.0,0.5\n"

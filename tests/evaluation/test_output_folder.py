"""The folder of an evaluation: its own files go, others stay, and foreign ones are not overwritten."""

from pathlib import Path

import pytest

from tests.fakes.folders import contents
from uumamba.core.errors import InputError
from uumamba.core.files import write_json
from uumamba.evaluation.output_folder import begin, remove_stale, require_room, require_schema

HEADER = "case,structure,outcome,dice\n"


def test_room_in_new_empty_and_strange_folders(tmp_path: Path) -> None:
    require_room(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    require_room(tmp_path)
    (tmp_path / "cases.csv").write_text("case\n")
    (tmp_path / "overlay_mine.png").touch()
    require_room(tmp_path)


def test_room_where_an_evaluation_is_or_was_being_written(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text(HEADER)
    require_room(tmp_path)
    write_json(tmp_path / "evaluation.json", {"schema": "uumamba-evaluation", "schema_version": 99})
    before = contents(tmp_path)
    require_room(tmp_path)
    assert contents(tmp_path) == before  # asking removes nothing


def test_what_is_not_of_an_evaluation_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("player,points\n")
    with pytest.raises(InputError, match=r"holds a scores.csv that is not of an evaluation; give another --output"):
        require_room(tmp_path)
    (tmp_path / "scores.csv").unlink()
    (tmp_path / "dice.png").touch()
    with pytest.raises(InputError, match=r"holds a dice.png that is not of an evaluation"):
        require_room(tmp_path)
    write_json(tmp_path / "evaluation.json", {"schema": "other"})
    with pytest.raises(InputError, match=r"holds a evaluation.json that is not of an evaluation"):
        require_room(tmp_path)
    with pytest.raises(InputError, match=r"dice.png: is a file; give a folder as --output"):
        require_room(tmp_path / "dice.png")


def test_stale_files_go_and_others_stay(tmp_path: Path) -> None:
    for name in ("clinical.csv", "summary.json", "overlay_best.png", "scores.csv", "notes.txt", "overlay_mine.png"):
        (tmp_path / name).touch()
    removed = remove_stale(tmp_path, [tmp_path / "scores.csv"])
    assert {path.name for path in removed} == {"clinical.csv", "summary.json", "overlay_best.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"scores.csv", "notes.txt", "overlay_mine.png"}


def test_the_document_and_its_page_go_first(tmp_path: Path) -> None:
    begin(tmp_path / "new")
    (tmp_path / "report.html").touch()
    begin(tmp_path)
    assert (tmp_path / "report.html").exists()
    (tmp_path / "evaluation.json").touch()
    begin(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_schema() -> None:
    path = Path("evaluation.json")
    require_schema({"schema": "uumamba-evaluation", "schema_version": 1}, path)
    with pytest.raises(InputError, match=r"not an evaluation of this program .no schema uumamba-evaluation.; evaluate"):
        require_schema([], path)
    with pytest.raises(
        InputError, match="has schema version 2, this program reads 1; evaluate again, or use the version"
    ):
        require_schema({"schema": "uumamba-evaluation", "schema_version": 2}, path)

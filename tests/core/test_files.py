import json
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.core.files import atomic, hash_file, hash_json, read_json, remove_left_over, write_json


def test_json_comes_back(tmp_path: Path) -> None:
    content = {"name": "Größe", "values": [1, 2.5, None, True]}
    write_json(tmp_path / "sub" / "a.json", content)
    assert read_json(tmp_path / "sub" / "a.json") == content


def _write_half(path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half")
        path.parent.read_text()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(IsADirectoryError):
        _write_half(path)
    assert read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_processes_left_of_one_file_is_removed(tmp_path: Path) -> None:
    names = (".12-a[1].nii.gz", ".7-a[1].nii.gz", "a[1].nii.gz", ".12-b-a[1].nii.gz", ".12-a1.nii.gz", ".x-a[1].nii.gz")
    for name in names:
        (tmp_path / name).touch()
    remove_left_over(tmp_path / "a[1].nii.gz")
    assert {path.name for path in tmp_path.iterdir()} == set(names[2:])
    remove_left_over(tmp_path / "no folder" / "a.nii.gz")


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not (tmp_path / "a.json").exists()


def test_missing_and_broken_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.json: no such file"):
        read_json(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match=r"b.json: not valid JSON"):
        read_json(tmp_path / "b.json")


def test_hashes_see_content_and_nothing_else(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"x" * 3_000_000)
    second.write_bytes(b"x" * 3_000_000)
    assert hash_file(first) == hash_file(second)
    second.write_bytes(b"x" * 2_999_999 + b"y")
    assert hash_file(first) != hash_file(second)
    assert hash_json({"a": 1, "b": [2]}) == hash_json(json.loads('{"b": [2], "a": 1}'))
    assert hash_json({"a": 1}) != hash_json({"a": 2})


def test_whole_files_may_be_read_by_others(tmp_path: Path) -> None:
    """Whatever a writer does to the temporary file, the result has the mode of any new file."""
    with atomic(tmp_path / "model") as temporary:
        temporary.write_text("weights")
        temporary.chmod(0o600)
    (tmp_path / "plain").touch()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "plain").stat().st_mode

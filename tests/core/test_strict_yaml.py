from pathlib import Path

import pytest

from uumamba.core.errors import ConfigError
from uumamba.core.strict_yaml import parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1.5", 1.5), (".5", 0.5), ("-2.", -2.0), ("1.0e-05", 1e-5), ("12", 12), ("-7", -7),
        ("no", "no"), ("on", "on"), ("true", True), ("False", False), ("null", None), ("~", None),
        ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("[1, 2]", [1, 2]), ("a.b", "a.b"), ("1e", "1e"),
    ],
)  # fmt: skip
def test_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    parsed = parse_yaml(text, "here")
    assert parsed == value
    assert type(parsed) is type(value)


def test_a_repeated_key_is_an_error_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"my.yaml: line 3 the key 'a' is given twice"):
        parse_yaml("a: 1\nb: 2\na: 3\n", "my.yaml")


def test_broken_text_is_one_line() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_yaml("a: [1, 2", "my.yaml")
    assert str(raised.value).startswith("my.yaml: line")
    assert "\n" not in str(raised.value)


def test_code_in_yaml_is_refused() -> None:
    with pytest.raises(ConfigError, match="could not determine a constructor"):
        parse_yaml("!!python/object/apply:os.getcwd []", "my.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent.yaml: cannot be read"):
        read_yaml(tmp_path / "absent.yaml")

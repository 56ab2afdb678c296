"""The `--labels` file: names and numbers of the structures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.core.settings import first_problem
from uumamba.core.strict_yaml import read_yaml

_EXAMPLE = "write for example `RV: 1`, `MYO: 2`, `LV: 3`"


def read_label_set(path: Path) -> LabelSet:
    """Read a JSON or YAML mapping of structure name -> number; an nnU-Net `dataset.json` will do, by its `labels`.

    Numbers run from 1 without gaps; `background: 0` may be left out, and `ignore` names the voxels that do not count.
    Raises `InputError` (a `ConfigError` for broken YAML) with what is wrong.
    """
    content = read_json(path) if path.suffix.lower() == ".json" else read_yaml(path)
    if isinstance(content, Mapping) and isinstance(content.get("labels"), Mapping):
        content = content["labels"]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: must map structure names to numbers, got {type(content).__name__}; {_EXAMPLE}")
    numbers = {str(name): _checked_number(path, name, number) for name, number in content.items()}
    ignore = numbers.pop("ignore", None)
    numbers.setdefault("background", 0)
    names = sorted(numbers, key=numbers.__getitem__)
    if [numbers[name] for name in names] != list(range(len(names))):
        raise InputError(
            f"{path}: numbers must be 0 (background), 1, 2 ... without gap or repeat, got {numbers}; {_EXAMPLE}"
        )
    try:
        return LabelSet(names=tuple(names), ignore=ignore)
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}; {_EXAMPLE}") from None


def _checked_number(path: Path, name: Any, number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f"{path}: {name}: must be one whole number, got {number!r}; {_EXAMPLE}")
    return number

"""The base class of all settings."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Settings(BaseModel):
    """Closed and frozen: an unknown key is an error, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def leaves(branch: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted name -> value of every setting in a nested mapping; an empty mapping is a value."""
    found: dict[str, Any] = {}
    for name, value in branch.items():
        if isinstance(value, Mapping) and value:
            found |= leaves(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def first_problem(error: ValidationError) -> str:
    """The first problem that pydantic found, as a part of one line: `key: what is wrong`."""
    detail = error.errors()[0]
    message = detail["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in detail["loc"])
    return f"{place}: {message}" if place else message

"""Numbers for tables on the screen and for pictures; "-" where there is none."""

NONE = "-"


def number_text(value: float | None, form: str = ".4f") -> str:
    """`value` in Python's format `form`."""
    return NONE if value is None else format(value, form)


def range_text(low: float | None, high: float | None, form: str = ".4f") -> str:
    """An interval, or limits."""
    return NONE if low is None or high is None else f"{low:{form}} to {high:{form}}"

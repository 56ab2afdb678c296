"""Numbers for tables on the screen and for pictures; "-" where there is none."""

NONE = "-"


def number_text(value: float | None, form: str = ".4f") -> str:
    """`value` in Python's format `form`."""
    return NONE if value is None else format(value, form)


def range_text(low: float | None, high: float | None, form: str = ".4f") -> str:
    """An interval, or limits."""
    return NONE if low is None or high is None else f"{low:{form}} to {high:{form}}"


def spread_text(mean: float | None, sd: float | None, form: str = ".4f") -> str:
    """A mean with the standard deviation, if there is one."""
    return number_text(mean, form) + ("" if mean is None or sd is None else f" ± {sd:{form}}")


def count_text(number: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

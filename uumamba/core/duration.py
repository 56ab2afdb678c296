"""Lengths of time as people say them."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def about(seconds: float) -> str:
    """A rough length of time, such as "about 40 s", "about 25 min", "about 1 h 20 min" or "about 3 d 4 h"."""
    if seconds < 1:
        return "less than a second"
    if seconds < 1.5 * _MINUTE:
        return f"about {round(seconds)} s"
    if seconds < _HOUR - _MINUTE / 2:
        return f"about {round(seconds / _MINUTE)} min"
    if seconds < 2 * _DAY:
        hours, minutes = divmod(5 * round(seconds / (5 * _MINUTE)), 60)
        return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"
    days, hours = divmod(round(seconds / _HOUR), 24)
    return f"about {days} d {hours} h" if hours else f"about {days} d"

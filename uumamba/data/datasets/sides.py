"""Structures that have a side, left or right, in their names."""

import re
from collections.abc import Iterable, Sequence

_WORDS = re.compile(r"[^\W_]+")
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


def sided_pairs(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The names that differ in left and right alone (or L and R, as words of their own), each pair in their order."""
    by_words = {_words(name): name for name in names}
    pairs = []
    for words, name in by_words.items():
        other = by_words.get(tuple(_OTHER_SIDE.get(word, word) for word in words))
        if other is not None and other != name and (other, name) not in pairs:
            pairs.append((name, other))
    return tuple(pairs)


def mirrored_axes_of(names: Sequence[str]) -> tuple[int, ...]:
    """The image axes (0 = x, 1 = y, 2 = z) to mirror along: x, left to right, is not among them if names have sides."""
    return (1, 2) if sided_pairs(names) else (0, 1, 2)


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _WORDS.findall(name))

"""Weights of the decoder levels under deep supervision."""


def level_weights(levels: int) -> tuple[float, ...]:
    """Weights of `levels` outputs, full resolution first: 1/2^i, the lowest level 0, sum 1; a single level weighs 1."""
    if levels == 1:
        return (1.0,)
    raw = [0.5**level for level in range(levels - 1)]
    return (*(weight / sum(raw) for weight in raw), 0.0)

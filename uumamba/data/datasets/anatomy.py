"""What holds of the structures of a data set in (nearly) every patient, as plain facts."""

from pydantic import Field

from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings


class Anatomy(Settings):
    """Facts that post-processing may be tried with; each is used only if it helps on validation cases.

    `pieces`: structure -> of how many connected pieces it consists. `pieces_together`: of how many all structures
    together consist; None if that varies. `touches`: structure -> the structures of which each of its pieces touches
    at least one. `solid`: the structures without holes. `fragments`: the structures, thin
    trees above all, of which small pieces that lie apart are seldom true.
    """

    pieces: dict[str, int] = Field(default_factory=dict)
    pieces_together: int | None = None
    touches: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    solid: tuple[str, ...] = ()
    fragments: tuple[str, ...] = ()


def unknown_anatomy(labels: LabelSet) -> Anatomy:
    """What is worth a try for structures of which nothing is known: in one piece, alone and together, without holes."""
    names = tuple(labels.members)
    return Anatomy(pieces=dict.fromkeys(names, 1), pieces_together=1, solid=names)

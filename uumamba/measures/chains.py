"""Branches that go on through junctions: at each junction the two thickest and straightest are one vessel."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from uumamba.measures.curve import FloatArray, arc_lengths_mm
from uumamba.measures.lumen import Lumen
from uumamba.measures.skeleton import SkeletonGraph

_STRAIGHTNESS = 0.5
"""Weight of the cosine of the turn against the ratio of radii, when two branches are chosen to go on."""
_FAR_RADII = 3.0
_End = tuple[int, int]
_Seen = tuple[float, FloatArray]
"""Radius in mm and direction (3,) of a branch outside a junction."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Branches in a row, `points_mm` (n, 3) from the first node to the last.

    `passed` are the junctions in between. A closed chain comes back to its first node, which is in `passed` if it is a
    junction. `free` says of both ends whether they are ends of the vessel; the others are attached to another chain.
    """

    points_mm: FloatArray
    nodes: tuple[int, int]
    passed: tuple[int, ...]
    closed: bool
    free: tuple[bool, bool]


def chains_of(graph: SkeletonGraph, lumen: Lumen) -> list[Chain]:
    """Every branch of a graph in exactly one chain; each junction is passed by one of them."""
    partner = _partners(graph, lumen)
    left = dict.fromkeys(graph.branches)
    chains = []
    while left:
        first = next(iter(left))
        row = _follow(partner, (first, 0))
        for number, _ in row:
            left.pop(number)
        chains.append(_chain(graph, partner, row))
    return chains


def _partners(graph: SkeletonGraph, lumen: Lumen) -> dict[_End, _End]:
    """The branch end that each branch end goes on in, where a junction has one for it."""
    partner: dict[_End, _End] = {}
    for node in graph.junctions:
        ends = graph.ends_at(node)
        seen = {end: _beyond(graph, lumen, node, end) for end in ends}
        thickest = max(radius for radius, _ in seen.values())
        first, second = max(combinations(ends, 2), key=lambda pair: _goes_on(seen[pair[0]], seen[pair[1]], thickest))
        partner[first], partner[second] = second, first
    return partner


def _goes_on(first: _Seen, second: _Seen, thickest: float) -> float:
    """How well two branches make one vessel: both thick, and away from each other."""
    return min(first[0], second[0]) / thickest - _STRAIGHTNESS * float(first[1] @ second[1])


def _beyond(graph: SkeletonGraph, lumen: Lumen, node: int, end: _End) -> _Seen:
    """A branch's radius in mm, and the direction to it, where it has left the junction's ball."""
    number, side = end
    points = graph.branches[number].points_mm
    points = points if side == 0 else points[::-1]
    apart = np.linalg.norm(points - graph.nodes_mm[node], axis=1)
    radius = graph.radius_mm(node)
    out = np.flatnonzero(apart > radius)
    near = out[apart[out] < _FAR_RADII * radius] if len(out) else np.array([len(points) - 1])
    near = near if len(near) else out[:1]
    direction = points[near].mean(axis=0) - graph.nodes_mm[node]
    return float(np.median(lumen.radius_mm(points[near]))), direction / max(float(np.linalg.norm(direction)), 1e-9)


def _follow(partner: dict[_End, _End], start: _End) -> list[_End]:
    """The chain that holds a branch: its branches in a row, each with the end at which it is entered."""
    entry = start
    while entry in partner:
        before, side = partner[entry]
        entry = (before, 1 - side)
        if entry == start:
            break
    row = [entry]
    while True:
        number, side = row[-1]
        onward = partner.get((number, 1 - side))
        if onward is None or onward == row[0]:
            return row
        row.append(onward)


def _chain(graph: SkeletonGraph, partner: dict[_End, _End], row: list[_End]) -> Chain:
    pieces, passed = [], []
    for number, side in row:
        branch = graph.branches[number]
        pieces.append(branch.points_mm if side == 0 else branch.points_mm[::-1])
        passed.append(branch.nodes[side])
    first, last = passed[0], graph.branches[row[-1][0]].nodes[1 - row[-1][1]]
    points = np.vstack([pieces[0], *(piece[1:] for piece in pieces[1:])])
    junctions = set(graph.junctions)
    closed = first == last and (row[0] in partner or first not in junctions) and arc_lengths_mm(points)[-1] > 0
    inner = passed if closed and first in junctions else passed[1:]
    free = (not closed and first not in junctions, not closed and last not in junctions)
    return Chain(points, (first, last), tuple(inner), closed, free)

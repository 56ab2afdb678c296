"""The skeleton of a connected mask as a graph: branches between ends and junctions, without spurs.

Thinning keeps the topology: a loop of the mask is a loop of the graph. In wide vessels it leaves spurs into the corners
of an end and to bumps of the wall, and loops round holes in the wall; both are pruned.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from uumamba.core.errors import InputError
from uumamba.core.thinning import skeleton
from uumamba.measures.lumen import FloatArray, Lumen
from uumamba.measures.voxel_paths import Neighbours, nodes_of, paths_between, rings_without_node, touching_voxels

SPUR_RADII = 1.5
"""A spur reaches no further, but for a voxel, from its junction than so many radii there; a flat end's corner 1.41."""
FORKED_TIP_RADII = 2.0
"""Two ends that both reach no further from their junction than this are corners of one end."""
MOST_BRANCHES = 3000
"""Of one component before pruning, whose time grows with their square; a coronary tree has some hundred."""
MERGED_RADII = 0.5
"""Junctions nearer to each other than this part of the radius there are one."""
_SHORTEST_LOOP = 4
"""Voxels of a path from a junction to itself; a shorter one is a corner of the junction, not a hole in the mask."""
_MOST_DISTANCES = 100_000
"""At once between points of branches: what is asked for a skeleton of noise would not fit the memory."""
_Ends = dict[int, list[tuple[int, int]]]
"""Node -> the branch ends that meet there: number of the branch, and 0 for its first end or 1."""


@dataclass(frozen=True, eq=False)
class Branch:
    """A piece between two nodes, `points_mm` (n, 3) from the first to the second; equal nodes make a loop."""

    nodes: tuple[int, int]
    points_mm: FloatArray

    @property
    def length_mm(self) -> float:
        """Along the voxels' centres: jagged, so longer than the vessel."""
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())


class SkeletonGraph:
    """Branches by number, and the positions and radii of the nodes that they meet in.

    A node of one branch end is a free end, of three and more a junction; a ring without one has a node of its own.
    Raises `InputError` for more than `MOST_BRANCHES`.
    """

    def __init__(self, lumen: Lumen) -> None:
        self._lumen = lumen
        self._radius_at: dict[bytes, float] = {}
        self._radii_along: WeakKeyDictionary[Branch, FloatArray] = WeakKeyDictionary()
        self._no_handles: WeakSet[Branch] = WeakSet()
        self.nodes_mm: list[FloatArray] = []
        self.branches: dict[int, Branch] = {}
        voxels = np.argwhere(skeleton(lumen.solid))
        self._trace(touching_voxels(voxels), lumen.positions(voxels))
        if len(self.branches) > MOST_BRANCHES:
            raise InputError(
                f"its skeleton has {len(self.branches)} branches, at most {MOST_BRANCHES} are followed: it is no "
                "vessel, or as ragged as noise; smooth the mask, or remove what does not belong to it"
            )
        self._simplify()

    def ends_at(self, node: int) -> list[tuple[int, int]]:
        """The branch ends that meet in a node: number of the branch, and 0 for its first end or 1."""
        return [
            (number, side) for number, branch in self.branches.items() for side in (0, 1) if branch.nodes[side] == node
        ]

    @property
    def junctions(self) -> list[int]:
        """Nodes in which three or more branch ends meet."""
        return [node for node, ends in self._ends().items() if len(ends) > 2]

    @property
    def loops(self) -> int:
        """Independent loops: branches - nodes + 1."""
        return len(self.branches) - len(self._ends()) + 1 if self.branches else 0

    def radius_mm(self, node: int) -> float:
        """Distance from a node to the wall."""
        place = self.nodes_mm[node].tobytes()
        if place not in self._radius_at:
            self._radius_at[place] = float(self._lumen.radius_mm(self.nodes_mm[node][None])[0])
        return self._radius_at[place]

    def _radii_mm(self, branch: Branch) -> FloatArray:
        """Distances from a branch's points to the wall, which are looked up once: there are many rounds of pruning."""
        if branch not in self._radii_along:
            self._radii_along[branch] = self._lumen.radius_mm(branch.points_mm)
        return self._radii_along[branch]

    def _ends(self) -> _Ends:
        """`ends_at` of every node."""
        ends: _Ends = {}
        for number, branch in self.branches.items():
            for side, node in enumerate(branch.nodes):
                ends.setdefault(node, []).append((number, side))
        return ends

    def _trace(self, neighbours: Neighbours, positions: FloatArray) -> None:
        """Make nodes of ends and of clusters of junction voxels, and branches of what lies between."""
        node_of = nodes_of(neighbours)
        members: list[list[int]] = [[] for _ in range(max(node_of.values(), default=-1) + 1)]
        for voxel, node in node_of.items():
            members[node].append(voxel)
        self.nodes_mm += [positions[voxels].mean(axis=0) for voxels in members]
        seen: set[int] = set()
        for path in paths_between(neighbours, node_of, seen):
            first, last = node_of[path[0]], node_of[path[-1]]
            if first == last and len(path) < _SHORTEST_LOOP:
                continue
            inner = positions[path[1:-1]]
            points = np.vstack([self.nodes_mm[first], inner, self.nodes_mm[last]])
            self.branches[len(self.branches)] = Branch((first, last), points)
        for ring in rings_without_node(neighbours, node_of, seen):
            self.nodes_mm.append(positions[ring[0]])
            node = len(self.nodes_mm) - 1
            self.branches[len(self.branches)] = Branch((node, node), positions[[*ring, ring[0]]])

    def _simplify(self) -> None:
        """Prune spurs, then loops round holes in a wall, then merge junctions too near to each other; all of them."""
        while True:
            ends = self._ends()
            spurs = {number: reach for number in self.branches if (reach := self._spur(number, ends)) is not None}
            if spurs:
                number = min(spurs, key=spurs.__getitem__)
                inner = max(self.branches[number].nodes, key=lambda node: len(ends[node]))
                del self.branches[number]
                self._join(inner)
                continue
            thin_first = sorted(self.branches, key=self._thickness_mm)
            handle = next((number for number in thin_first if self._is_handle(number, ends)), None)
            if handle is not None:
                branch = self.branches.pop(handle)
                for node in dict.fromkeys(branch.nodes):
                    self._join(node)
                continue
            short = [number for number in self.branches if self._is_short(number, ends)]
            if not short:
                return
            self._contract(min(short, key=lambda number: self.branches[number].length_mm))

    def _spur(self, number: int, ends: _Ends) -> float | None:
        """How far a spur reaches beyond the wall, in mm and below 0 if not; None for a branch that is no spur."""
        branch = self.branches[number]
        tip, inner = sorted(branch.nodes, key=lambda node: len(ends[node]))
        if len(ends[tip]) != 1 or len(ends[inner]) < 3:
            return None
        radius, voxel = self.radius_mm(inner), float(self._lumen.spacing_mm.max())
        across = [self.branches[other].nodes[1 - side] for other, side in ends[inner]]
        corner = FORKED_TIP_RADII * radius + voxel
        near = [node for node in across if len(ends[node]) == 1 and self._reach_mm(node, inner) < corner]
        limit = corner if len(near) == 2 and len(ends[inner]) == 3 else SPUR_RADII * radius + voxel
        reach = self._reach_mm(tip, inner)
        return reach - limit if reach < limit else None

    def _reach_mm(self, tip: int, inner: int) -> float:
        """From a junction to the wall beyond a tip."""
        return float(np.linalg.norm(self.nodes_mm[tip] - self.nodes_mm[inner])) + self.radius_mm(tip)

    def _is_handle(self, number: int, ends: _Ends) -> bool:
        """Whether a branch closes a loop round a hole in another's wall: all of it lies within a voxel of its balls.

        One that is none stays none when others go, and is not asked again.
        """
        branch = self.branches[number]
        if branch in self._no_handles:
            return False
        is_between = min(len(ends[node]) for node in branch.nodes) > 2
        if is_between and self._closes_a_loop(number, ends) and self._is_within_others(number):
            return True
        self._no_handles.add(branch)
        return False

    def _is_within_others(self, number: int) -> bool:
        """Whether all of a branch lies within a voxel of the others' balls; seen from its middle, where most do not."""
        others = [other for key, other in self.branches.items() if key != number]
        centres, radii = np.vstack([each.points_mm for each in others]), np.hstack(list(map(self._radii_mm, others)))
        points = self.branches[number].points_mm
        points = points[np.argsort(np.abs(np.arange(len(points)) - len(points) // 2))]
        step = max(1, _MOST_DISTANCES // len(centres))
        for some in (points[first : first + step] for first in range(0, len(points), step)):
            beyond = (np.linalg.norm(some[:, None] - centres, axis=2) - radii).min(axis=1)
            if beyond.max() >= self._lumen.voxel_mm:
                return False
        return True

    def _closes_a_loop(self, number: int, ends: _Ends) -> bool:
        """Whether a branch's nodes are connected without it."""
        start, goal = self.branches[number].nodes
        reached, edge = {start}, [start]
        while edge and goal not in reached:
            node = edge.pop()
            for other, side in ends[node]:
                across = self.branches[other].nodes[1 - side]
                if other != number and across not in reached:
                    reached.add(across)
                    edge.append(across)
        return goal in reached

    def _thickness_mm(self, number: int) -> float:
        return float(np.median(self._radii_mm(self.branches[number])))

    def _is_short(self, number: int, ends: _Ends) -> bool:
        branch = self.branches[number]
        if branch.nodes[0] == branch.nodes[1] or min(len(ends[node]) for node in branch.nodes) < 3:
            return False
        radius = max(self.radius_mm(node) for node in branch.nodes)
        return branch.length_mm < MERGED_RADII * radius + self._lumen.voxel_mm

    def _join(self, node: int) -> None:
        """If just two ends of two branches meet in a node, make them one branch."""
        ends = self.ends_at(node)
        if len(ends) != 2 or ends[0][0] == ends[1][0]:
            return
        (first, first_side), (second, second_side) = ends
        before = _directed(self.branches.pop(first), 1 - first_side)
        after = _directed(self.branches.pop(second), second_side)
        points = np.vstack([before.points_mm[:-1], after.points_mm[1:]])
        self.branches[first] = Branch((before.nodes[0], after.nodes[1]), points)

    def _contract(self, number: int) -> None:
        """Make a branch's two junctions one, half-way between them."""
        kept, gone = self.branches.pop(number).nodes
        self.nodes_mm[kept] = (self.nodes_mm[kept] + self.nodes_mm[gone]) / 2
        for other, branch in self.branches.items():
            if kept in branch.nodes or gone in branch.nodes:
                first, last = (kept if node == gone else node for node in branch.nodes)
                points = np.vstack([self.nodes_mm[first], branch.points_mm[1:-1], self.nodes_mm[last]])
                self.branches[other] = Branch((first, last), points)
        # the moved junction's ball may hold what none held before
        place, reach = self.nodes_mm[kept], self.radius_mm(kept) + self._lumen.voxel_mm
        for branch in list(self._no_handles):
            if np.linalg.norm(branch.points_mm - place, axis=1).min() < reach:
                self._no_handles.remove(branch)


def _directed(branch: Branch, first_side: int) -> Branch:
    """The branch with its end `first_side` (0 or 1) first."""
    return branch if first_side == 0 else Branch(branch.nodes[::-1], branch.points_mm[::-1])

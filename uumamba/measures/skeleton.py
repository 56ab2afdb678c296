"""The skeleton of a connected mask as a graph: branches between ends and junctions, without spurs.

Thinning keeps the topology: a loop of the mask is a loop of the graph. In wide vessels it leaves spurs into the corners
of an end and to bumps of the wall, and loops round holes in the wall; both are pruned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from uumamba.core.thinning import skeleton
from uumamba.measures.lumen import FloatArray, Lumen

SPUR_RADII = 1.5
"""A spur reaches no further, but for a voxel, from its junction than so many radii there; a flat end's corner 1.41."""
FORKED_TIP_RADII = 2.0
"""Two ends that both reach no further from their junction than this are corners of one end."""
MERGED_RADII = 0.5
"""Junctions nearer to each other than this part of the radius there are one."""
_TOUCHING = 1.75
_SHORTEST_LOOP = 4
"""Voxels of a path from a junction to itself; a shorter one is a corner of the junction, not a hole in the mask."""
_Neighbours = list[set[int]]
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
    """

    def __init__(self, lumen: Lumen) -> None:
        self._lumen = lumen
        self._radius_at: dict[bytes, float] = {}
        self._radii_along: WeakKeyDictionary[Branch, FloatArray] = WeakKeyDictionary()
        self.nodes_mm: list[FloatArray] = []
        self.branches: dict[int, Branch] = {}
        voxels = np.argwhere(skeleton(lumen.solid))
        self._trace(_neighbours(voxels), lumen.positions(voxels))
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

    def _trace(self, neighbours: _Neighbours, positions: FloatArray) -> None:
        """Make nodes of ends and of clusters of junction voxels, and branches of what lies between."""
        node_of = _cluster(neighbours)
        for node in range(max(node_of.values(), default=-1) + 1):
            members = [voxel for voxel, of in node_of.items() if of == node]
            self.nodes_mm.append(positions[members].mean(axis=0))
        seen: set[int] = set()
        for path in _paths(neighbours, node_of, seen):
            first, last = node_of[path[0]], node_of[path[-1]]
            if first == last and len(path) < _SHORTEST_LOOP:
                continue
            inner = positions[path[1:-1]]
            points = np.vstack([self.nodes_mm[first], inner, self.nodes_mm[last]])
            self.branches[len(self.branches)] = Branch((first, last), points)
        for ring in _rings(neighbours, node_of, seen):
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
        """Whether a branch closes a loop round a hole in another's wall: all of it lies within a voxel of its balls."""
        branch = self.branches[number]
        if min(len(ends[node]) for node in branch.nodes) < 3 or not self._closes_a_loop(number, ends):
            return False
        others = [other for key, other in self.branches.items() if key != number]
        apart = np.linalg.norm(branch.points_mm[:, None] - np.vstack([other.points_mm for other in others]), axis=2)
        beyond = (apart - np.concatenate([self._radii_mm(other) for other in others])).min(axis=1)
        return bool(beyond.max() < self._lumen.voxel_mm)

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


def _directed(branch: Branch, first_side: int) -> Branch:
    """The branch with its end `first_side` (0 or 1) first."""
    return branch if first_side == 0 else Branch(branch.nodes[::-1], branch.points_mm[::-1])


def _neighbours(voxels: NDArray[np.integer]) -> _Neighbours:
    """The touching voxels of each; where two touch through a third by shorter steps, the direct step is left out."""
    pairs = cKDTree(voxels).query_pairs(_TOUCHING, output_type="ndarray")
    square = ((voxels[pairs[:, 0]] - voxels[pairs[:, 1]]) ** 2).sum(axis=1) if len(pairs) else np.empty(0, int)
    steps: list[dict[int, int]] = [{} for _ in range(len(voxels))]
    for (first, second), length in zip(pairs.tolist(), square.tolist(), strict=True):
        steps[first][second] = steps[second][first] = length
    return [
        {
            there
            for there, length in of_voxel.items()
            if not any(near < length and steps[third].get(there, length) < length for third, near in of_voxel.items())
        }
        for of_voxel in steps
    ]


def _cluster(neighbours: _Neighbours) -> dict[int, int]:
    """The node of every voxel that is an end or part of a junction; junction voxels that touch are one node."""
    junction = [voxel for voxel, touching in enumerate(neighbours) if len(touching) > 2]
    place = {voxel: index for index, voxel in enumerate(junction)}
    edges = [(place[a], place[b]) for a in junction for b in neighbours[a] if b in place]
    rows, columns = np.array(edges, dtype=int).reshape(-1, 2).T
    count, cluster = 0, np.empty(0, dtype=int)
    if junction:
        shape = (len(junction), len(junction))
        count, cluster = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=shape))
    nodes = dict(zip(junction, cluster.tolist(), strict=True))
    ends = [voxel for voxel, touching in enumerate(neighbours) if len(touching) < 2]
    return nodes | {voxel: count + index for index, voxel in enumerate(ends)}


def _paths(neighbours: _Neighbours, node_of: dict[int, int], seen: set[int]) -> Iterator[list[int]]:
    """Every way from a node's voxel to a node's voxel, once; voxels between nodes are added to `seen`."""
    direct: set[frozenset[int]] = set()
    for start, node in node_of.items():
        for step in sorted(neighbours[start]):
            if step in node_of:
                pair = frozenset((node, node_of[step]))
                if node_of[step] != node and pair not in direct:
                    direct.add(pair)
                    yield [start, step]
            elif step not in seen:
                yield _walk(neighbours, node_of, [start, step], seen)


def _walk(neighbours: _Neighbours, node_of: dict[int, int], path: list[int], seen: set[int]) -> list[int]:
    """The path on to the next node; each voxel on the way has one neighbour behind and one before it."""
    while path[-1] not in node_of:
        seen.add(path[-1])
        path.append(next(voxel for voxel in sorted(neighbours[path[-1]]) if voxel != path[-2]))
    return path


def _rings(neighbours: _Neighbours, node_of: dict[int, int], seen: set[int]) -> Iterator[list[int]]:
    """Every ring of voxels without a node, once."""
    for start in range(len(neighbours)):
        if start in seen or start in node_of:
            continue
        ring = [start]
        while True:
            seen.add(ring[-1])
            onward = [voxel for voxel in sorted(neighbours[ring[-1]]) if voxel not in seen]
            if not onward:
                break
            ring.append(onward[0])
        yield ring

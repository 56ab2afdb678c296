"""The voxels of a skeleton in a row: which touch, which are ends or junctions, and the ways between these."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

_TOUCHING = 1.75
Neighbours = list[set[int]]
"""By a voxel's number the numbers of those that touch it."""


def touching_voxels(voxels: NDArray[np.integer]) -> Neighbours:
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


def nodes_of(neighbours: Neighbours) -> dict[int, int]:
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


def paths_between(neighbours: Neighbours, node_of: dict[int, int], seen: set[int]) -> Iterator[list[int]]:
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


def _walk(neighbours: Neighbours, node_of: dict[int, int], path: list[int], seen: set[int]) -> list[int]:
    """The path on to the next node; each voxel on the way has one neighbour behind and one before it."""
    while path[-1] not in node_of:
        seen.add(path[-1])
        path.append(next(voxel for voxel in sorted(neighbours[path[-1]]) if voxel != path[-2]))
    return path


def rings_without_node(neighbours: Neighbours, node_of: dict[int, int], seen: set[int]) -> Iterator[list[int]]:
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

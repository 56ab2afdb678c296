"""The loops of resampling, compiled by numba at first use: cubic splines, and which label weighs most.

Sums and products are scipy's (`ndimage.spline_filter1d`, `ndimage.zoom`), in its order and in float64, so that the
results are the same bit for bit. scipy would take float64 arrays of the whole image, gathers every line on its own, and
would resample a label map once for each label. Places are unsigned, so that numba need not ask whether they count from
an array's end; otherwise there would be no vectors.
"""

import numpy as np
from numpy.typing import NDArray

from uumamba.core.compiled import compiled

Array = NDArray[np.float64]
Places = NDArray[np.uintp]
_compiled = compiled("resampling")
POLE = -0.26794919243112270647  # the root of 3 less 2, whose difference rounds to another number
_GAIN = (1.0 - POLE) * (1.0 - 1.0 / POLE)
_ZERO, _ONE = np.uintp(0), np.uintp(1)


@_compiled
def filter_columns(values: Array, vanishing: float) -> None:
    """Make values (length, columns), length > 1, their cubic spline coefficients along the first axis, in place.

    As scipy's filter, mirrored beyond the ends; `vanishing` is the filter's pole to the power `length`.
    """
    length, columns = np.uintp(values.shape[0]), np.uintp(values.shape[1])
    for i in range(length):
        for j in range(columns):
            values[i, j] *= _GAIN
    start, final = np.empty(values.shape[1]), length - _ONE
    for j in range(columns):
        start[j] = values[_ZERO, j]
        values[_ZERO, j] += vanishing * values[final, j]
    power = POLE
    for i in range(_ONE, length):
        for j in range(columns):
            values[_ZERO, j] += power * (values[i, j] + vanishing * values[final - i, j])
        power *= POLE
    for j in range(columns):
        values[_ZERO, j] *= POLE / (1.0 - vanishing * vanishing)
        values[_ZERO, j] += start[j]
    for i in range(_ONE, length):
        for j in range(columns):
            values[i, j] += POLE * values[i - _ONE, j]
    for j in range(columns):
        values[final, j] *= POLE / (POLE - 1.0)
    for i in range(_ONE, length):
        for j in range(columns):
            values[final - i, j] = POLE * (values[final - i + _ONE, j] - values[final - i, j])


@_compiled
def weigh_plane(planes: Array, along: tuple[Array, Array, Array], first: tuple[Places, Places], out: Array) -> None:
    """Fill a plane `out` (rows, columns) from the coefficients `planes` (taps, rows, columns).

    `along` holds the weights of the planes (taps,), and of the taps along rows and columns (taps, length of `out`);
    `first` the first tap along rows and columns.
    """
    by_plane, by_row, by_column = along
    first_row, first_column = first
    width = np.uintp(planes.shape[2])
    line, total = np.empty(planes.shape[2]), np.empty(out.shape[1])
    for row in range(out.shape[0]):
        total[:] = 0.0
        for plane in range(by_plane.size):
            for tap in range(by_row.shape[0]):
                source = planes[plane, first_row[row] + np.uintp(tap)]
                in_plane, in_row = by_plane[plane], by_row[tap, row]
                for place in range(width):
                    line[place] = (source[place] * in_plane) * in_row
                _add_taps(total, line, first_column, by_column)
        out[row] = total


@_compiled
def _add_taps(total: Array, line: Array, first: Places, weights: Array) -> None:
    """To each of `total` add its taps of a line, the first tap of all, then the second of all ..."""
    columns = np.uintp(total.size)
    for tap in range(weights.shape[0]):
        by, ahead = weights[tap], np.uintp(tap)
        for column in range(columns):
            total[column] += line[first[column] + ahead] * by[column]


@_compiled
def heaviest_labels(
    labels: NDArray[np.int16],
    corners: tuple[Places, Places, Places],
    weights: tuple[Array, Array, Array],
    nearest: tuple[Places, Places, Places],
    out: NDArray[np.int16],
) -> None:
    """Fill `out` (3D) with the label whose linear share of the 8 voxels around is largest.

    `corners` (2, length) are the lower and the upper of the two voxels along each axis, `weights` (2, length) theirs.
    Of labels with equal shares that of the `nearest` voxel wins if it is among them, else the smallest.
    """
    found, shares = np.empty(8, labels.dtype), np.empty(8)
    (by_first, by_second, (by_lower, by_upper)), (near_a, near_b, near_c) = weights, nearest
    (low_a, high_a), (low_b, high_b), (low_c, high_c) = corners
    columns = np.uintp(out.shape[2])
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            top = labels[low_a[i], low_b[j]], labels[low_a[i], high_b[j]]
            bottom = labels[high_a[i], low_b[j]], labels[high_a[i], high_b[j]]
            above = by_first[0, i] * by_second[0, j], by_first[0, i] * by_second[1, j]
            in_plane = (*above, by_first[1, i] * by_second[0, j], by_first[1, i] * by_second[1, j])
            near, line = labels[near_a[i], near_b[j]], out[i, j]
            for k in range(columns):
                c, d = low_c[k], high_c[k]
                upper = top[0][c], top[0][d], top[1][c], top[1][d]
                around = (*upper, bottom[0][c], bottom[0][d], bottom[1][c], bottom[1][d])
                line[k] = around[0]
                differ = False
                for label in around:
                    differ |= label != around[0]
                if differ:
                    count = _share(around, in_plane, (by_lower[k], by_upper[k]), found, shares)
                    line[k] = _winner(found, shares, count, near[near_c[k]])


@_compiled
def _share(
    around: tuple[int, ...],
    in_plane: tuple[float, ...],
    along: tuple[float, float],
    found: NDArray[np.int16],
    shares: Array,
) -> int:
    """List the different labels of the 8 voxels `around` in `found`, with their shares; gives how many there are."""
    count = 0
    for tap in range(8):
        at = 0
        while at < count and found[at] != around[tap]:
            at += 1
        if at == count:
            found[at], shares[at] = around[tap], 0.0
            count += 1
        shares[at] += in_plane[tap >> 1] * along[tap & 1]
    return count


@_compiled
def _winner(found: NDArray[np.int16], shares: Array, count: int, nearest: int) -> int:
    """Which of the labels found has the largest share; a share of more than 1 by rounding is 1."""
    best = 0
    for at in range(count):
        shares[at] = min(shares[at], 1.0)
        if shares[at] > shares[best] or (shares[at] == shares[best] and found[at] < found[best]):
            best = at
    for at in range(count):
        if found[at] == nearest and shares[at] == shares[best]:
            best = at
    winner: int = found[best]
    return winner

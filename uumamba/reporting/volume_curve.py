"""A heart's volumes over one beat."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uumamba.core.errors import InputError
from uumamba.measures import HeartFunction, Measurement
from uumamba.reporting.style import new_figure, structure_colour, tidy

_LINE_LETTERS = 100
_HEADLINE = (("lv_edv_ml", "LV EDV {:.0f} ml"), ("lv_esv_ml", "ESV {:.0f} ml"), ("lv_ef_percent", "LV EF {:.1f} %"))


def volume_curve_figure(function: HeartFunction, *, title: str = "", frame_ms: float | None = None) -> Figure:
    """Volume of every structure over time, ED and ES marked, LV's volumes and both ejection fractions above.

    Time is in ms from the first frame if `frame_ms`, the time from frame to frame, is given; else in frames, counted
    from 1. A frame without a volume is a gap; one in which ED and ES were not sought although it has a volume is
    crossed. Raises `InputError` if there is no frame.
    """
    frames = len(next(iter(function.volumes_ml.values()), ()))
    if not frames:
        raise InputError("a volume curve needs at least one frame, got none; give the label maps of a series")
    times = np.arange(frames) * frame_ms if frame_ms else np.arange(1, frames + 1)
    figure = new_figure(7.6, 4.6)
    axes = figure.subplots()
    for number, (name, volumes) in enumerate(function.volumes_ml.items(), 1):
        axes.plot(times, _values(volumes), marker="o", markersize=4, color=structure_colour(number), label=name)
    _cross_out(axes, function, times)
    _mark_phases(axes, function, times)
    margin = 0.04 * (times[-1] - times[0]) or 0.5
    axes.set_xlim(times[0] - margin, times[-1] + margin)
    axes.set_ylim(0, _top(function))
    axes.set_ylabel("volume, ml")
    axes.set_xlabel("time, ms" if frame_ms else "frame")
    if not frame_ms:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    axes.set_title("\n".join(line for line in (title, *_headline(function)) if line), fontsize=10)
    tidy(axes)
    return figure


def _values(volumes: Sequence[Measurement]) -> np.ndarray:
    return np.array([np.nan if volume.value is None else volume.value for volume in volumes], dtype=float)


def _top(function: HeartFunction) -> float:
    """The end of the axis of volumes, with room for the names of the phases."""
    values = np.concatenate([_values(volumes) for volumes in function.volumes_ml.values()])
    return 1.15 * max(values[np.isfinite(values)].tolist(), default=1.0)


def _cross_out(axes: Axes, function: HeartFunction, times: np.ndarray) -> None:
    crossed = sorted(function.phases.left_out)
    if crossed and "LV" in function.volumes_ml:
        heights = _values(function.volumes_ml["LV"])[crossed]
        if np.isfinite(heights).any():
            axes.plot(times[crossed], heights, "x", color="black", markersize=10, label="left out")


def _mark_phases(axes: Axes, function: HeartFunction, times: np.ndarray) -> None:
    phases = function.phases
    for name, frame in (("ED", phases.end_diastole), ("ES", phases.end_systole)):
        if frame is None:
            continue
        axes.axvline(times[frame], color="0.4", linestyle="--", linewidth=1)
        place = axes.get_xaxis_transform()
        side = "left" if frame < 0.75 * len(times) else "right"
        axes.text(times[frame], 0.985, f" {name}, frame {frame + 1} ", transform=place, fontsize=9, va="top", ha=side)


def _headline(function: HeartFunction) -> list[str]:
    """Numbers of both ventricles; where there is no ejection fraction, why."""
    measures = function.measures
    known = [text.format(value) for name, text in _HEADLINE if (value := measures[name].value) is not None]
    right = measures["rv_ef_percent"].value
    if right is not None:
        known.append(f"RV EF {right:.1f} %")
    lines = [", ".join(known)]
    for name, ventricle in (("lv_ef_percent", "LV"), ("rv_ef_percent", "RV")):
        reason = measures[name].reason
        if reason and (reason not in " ".join(lines)):
            lines += textwrap.wrap(f"no {ventricle} EF: {reason}", _LINE_LETTERS)
    return lines

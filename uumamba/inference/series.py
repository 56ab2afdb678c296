"""A time series frame by frame: each frame's label map is the one that it would have alone."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from uumamba.core.errors import InputError, UumambaError
from uumamba.imaging.image import Image
from uumamba.inference.prediction import Flag, Prediction


class FramePredictor(Protocol):
    """What predicts one frame: a `Predictor`."""

    def predict(self, images: Sequence[Image], *, maps: bool = ...) -> Prediction:
        """The prediction of one case, one image per channel."""
        ...


def predict_series(predictor: FramePredictor, image: Image, *, maps: bool = False) -> Prediction:
    """Predict every frame of a series whose data is (x, y, z, time); the arrays of the result have the same axes.

    Beside the series and the result there is never more than one frame in work. A structure's confidence is its lowest
    over the frames that have it, None if none has. A flag that several frames raise is there once, with the sentence of
    the first of them, and names the frames, counted from 1. With `maps` the result has the maps that the predictor
    gives.
    Raises `InputError` if the image has no time axis, and what the predictor raises, with the frame's number.
    """
    if image.data.ndim != 4:
        raise InputError(
            f"a series has the axes (x, y, z, time), got {image.data.ndim} axes; predict a single volume as one case"
        )
    count = image.data.shape[3]
    labels = np.empty(image.data.shape, dtype=np.uint8)
    entropy = disagreement = None
    confidences: list[dict[str, float | None]] = []
    flags: dict[str, list[tuple[int, str]]] = {}
    for frame, prediction in enumerate(_predict_frames(predictor, image, maps)):
        labels[..., frame] = prediction.labels
        entropy = _put(entropy, frame, prediction.entropy, image.data.shape)
        disagreement = _put(disagreement, frame, prediction.disagreement, image.data.shape)
        confidences.append(dict(prediction.confidence))
        for flag in prediction.flags:
            flags.setdefault(flag.code, []).append((frame + 1, flag.sentence))
        del prediction  # before the next frame's is made
    merged = tuple(Flag(code, _over_frames(found, count)) for code, found in flags.items())
    return Prediction(labels, _lowest(confidences), merged, entropy, disagreement)


def frame_of(image: Image, frame: int) -> Image:
    """One frame (from 0) of a series as an image of its own: a view, on the same grid, without the file's header."""
    return Image(image.data[..., frame], image.affine, image.repairs)


def frames_in_words(frames: Sequence[int]) -> str:
    """Numbers of frames, rising, for a sentence: (1, 2, 3, 7) -> "frames 1-3, 7"."""
    breaks = [index for index, (before, after) in enumerate(pairwise(frames), 1) if after != before + 1]
    runs = [frames[start:stop] for start, stop in zip([0, *breaks], [*breaks, len(frames)], strict=True)]
    words = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"{'frame' if len(frames) == 1 else 'frames'} {words}"


def _predict_frames(predictor: FramePredictor, image: Image, maps: bool) -> Iterator[Prediction]:
    for frame in range(image.data.shape[3]):
        try:
            yield predictor.predict([frame_of(image, frame)], maps=maps)
        except UumambaError as error:
            raise type(error)(f"frame {frame + 1}: {error}") from error


def _put(
    series: NDArray[np.float32] | None, frame: int, values: NDArray[np.float32] | None, shape: tuple[int, ...]
) -> NDArray[np.float32] | None:
    """The series of maps with one frame's put in; made with the first map that comes, None while there is none."""
    if values is None:
        return series
    if series is None:
        series = np.full(shape, np.nan, dtype=np.float32)
    series[..., frame] = values
    return series


def _lowest(confidences: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """The lowest confidence of each structure over the frames that have it."""
    names = dict.fromkeys(name for frame in confidences for name in frame)
    known = {name: [value for frame in confidences if (value := frame.get(name)) is not None] for name in names}
    return {name: min(values, default=None) for name, values in known.items()}


def _over_frames(found: Sequence[tuple[int, str]], count: int) -> str:
    """One sentence for a flag of several frames."""
    frames = [frame for frame, _ in found]
    where = f"all {count} frames" if len(frames) == count > 1 else frames_in_words(frames)
    frame, sentence = found[0]
    alike = all(other == sentence for _, other in found)
    return f"{where}: {sentence}" if alike else f"{where}; in frame {frame}: {sentence}"

"""A series is its frames one by one, with what is known of them put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from uumamba.core.errors import InputError, UumambaError
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle
from uumamba.inference.prediction import Flag, Prediction
from uumamba.inference.predictor import Predictor
from uumamba.inference.series import frame_of, frames_in_words, predict_series

MakeBundle = Callable[..., Bundle]
MakeImage = Callable[..., Image]


@dataclass
class Told:
    """Gives predictions that were made before, in turn."""

    predictions: list[Prediction]
    asked: list[bool] = field(default_factory=list)

    def predict(self, images: Sequence[Image], *, maps: bool = False) -> Prediction:
        assert len(images) == 1
        self.asked.append(maps)
        return self.predictions[len(self.asked) - 1]


@pytest.fixture
def series(make_image: MakeImage) -> Image:
    frames = [make_image(seed=seed) for seed in range(4)]
    return Image(np.stack([frame.data for frame in frames], axis=3), frames[0].affine, ("a repair",))


def told(confidence: dict[str, float | None], *flags: Flag, entropy: float | None = None) -> Prediction:
    shape = (18, 22, 3)
    map_ = None if entropy is None else np.full(shape, entropy, dtype=np.float32)
    return Prediction(np.zeros(shape, np.uint8), confidence, flags, map_)


@pytest.mark.parametrize("order", ["C", "F"])
def test_equals_its_frames_one_by_one(make_bundle: MakeBundle, series: Image, order: Literal["C", "F"]) -> None:
    predictor = Predictor([make_bundle()])
    stored = Image(np.asarray(series.data, order=order), series.affine)
    labels = predict_series(predictor, stored).labels
    assert (labels.dtype, labels.shape) == (np.uint8, series.data.shape)
    for frame in range(4):
        alone = Image(np.ascontiguousarray(series.data[..., frame]), series.affine)
        np.testing.assert_array_equal(labels[..., frame], predictor.predict([alone]).labels)
    assert any((labels[..., 0] != labels[..., frame]).any() for frame in range(1, 4))


def test_maps_and_confidence_are_those_of_the_frames(make_bundle: MakeBundle, series: Image) -> None:
    predictor = Predictor([make_bundle()])
    alone = [predictor.predict([frame_of(series, frame)], maps=True) for frame in range(4)]
    together = predict_series(predictor, series, maps=True)
    assert together.entropy is not None
    assert together.confidence
    for frame, prediction in enumerate(alone):
        np.testing.assert_array_equal(together.entropy[..., frame], prediction.entropy)
    for name, lowest in together.confidence.items():
        known = [value for prediction in alone if (value := prediction.confidence[name]) is not None]
        assert lowest == min(known, default=None)


def test_order_of_frames_does_not_matter(make_bundle: MakeBundle, series: Image) -> None:
    predictor = Predictor([make_bundle()])
    backwards = Image(series.data[..., ::-1], series.affine)
    forwards = predict_series(predictor, series).labels
    np.testing.assert_array_equal(predict_series(predictor, backwards).labels, forwards[..., ::-1])


def test_a_frame_is_a_view_on_the_same_grid(series: Image) -> None:
    frame = frame_of(series, 2)
    assert np.shares_memory(frame.data, series.data)
    assert (frame.shape, frame.repairs, frame.header) == (series.shape, ("a repair",), b"")
    np.testing.assert_array_equal(frame.affine, series.affine)


def test_confidence_is_the_lowest_of_the_frames_that_have_the_structure(series: Image) -> None:
    frames = [told({"LV": 0.9, "RV": None, "MYO": None}), told({"LV": 0.7, "RV": 0.8, "MYO": None})] * 2
    assert predict_series(Told(frames), series).confidence == {"LV": 0.7, "RV": 0.8, "MYO": None}


def test_flags_are_there_once_and_name_the_frames(series: Image) -> None:
    dim, cut = Flag("dim", "the image is dim"), Flag("cut", "LV is cut")
    frames = [told({}, dim), told({}, dim, Flag("cut", "LV is cut here")), told({}, dim), told({}, dim, cut)]
    assert predict_series(Told(frames), series).flags == (
        Flag("dim", "all 4 frames: the image is dim"),
        Flag("cut", "frames 2, 4; in frame 2: LV is cut here"),
    )


def test_maps_have_the_time_axis(series: Image) -> None:
    predictor = Told([told({}, entropy=value) for value in (0.1, 0.2, 0.3, 0.4)])
    prediction = predict_series(predictor, series, maps=True)
    assert predictor.asked == [True] * 4
    assert prediction.entropy is not None
    assert prediction.entropy.dtype == np.float32
    assert prediction.entropy.shape == series.data.shape
    np.testing.assert_allclose(prediction.entropy[3, 4, 1], (0.1, 0.2, 0.3, 0.4))
    assert prediction.disagreement is None
    assert predict_series(Told([told({})] * 4), series).entropy is None


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ((3,), "frame 3"),
        ((1, 2), "frames 1-2"),
        ((1, 2, 3, 7, 9, 10), "frames 1-3, 7, 9-10"),
        ((2, 4, 6), "frames 2, 4, 6"),
    ],
)
def test_frames_in_words(frames: tuple[int, ...], words: str) -> None:
    assert frames_in_words(frames) == words


def test_one_volume_is_no_series(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    with pytest.raises(InputError, match=r"a series has the axes \(x, y, z, time\), got 3 axes; predict a single"):
        predict_series(Predictor([make_bundle()]), make_image())


def test_an_error_names_its_frame(make_bundle: MakeBundle, series: Image) -> None:
    series.data[4, 4, 1, 2] = 3e38
    with pytest.raises(UumambaError, match=r"^frame 3: ") as error:
        predict_series(Predictor([make_bundle()]), series)
    assert "\n" not in str(error.value)

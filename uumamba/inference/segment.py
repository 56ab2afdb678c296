"""Segmentation in one call, for notebooks and other programs."""

from collections.abc import Sequence
from pathlib import Path

from uumamba.core.device import choose_device
from uumamba.imaging.files import read_image
from uumamba.imaging.image import Image
from uumamba.inference.bundle import read_bundle
from uumamba.inference.predictor import Predictor
from uumamba.inference.series import predict_series


def load_predictor(bundle: str | Path | Sequence[str | Path], *, device: str = "auto") -> Predictor:
    """A predictor from a bundle or a run's folder, or an ensemble from several; raises `InputError` as they do."""
    paths = [bundle] if isinstance(bundle, str | Path) else list(bundle)
    return Predictor([read_bundle(Path(path)) for path in paths], device=choose_device(device))


def segment(image: str | Path | Image, bundle: str | Path | Sequence[str | Path] | Predictor) -> Image:
    """The label map of an image, a volume or a series, as an `Image` on the same grid; see `uumamba.segment`."""
    predictor = bundle if isinstance(bundle, Predictor) else load_predictor(bundle)
    image = image if isinstance(image, Image) else read_image(Path(image), max_dimensions=4)
    prediction = predict_series(predictor, image) if image.data.ndim == 4 else predictor.predict([image])
    return Image(prediction.labels, image.affine, image.repairs, image.header)

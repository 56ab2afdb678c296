"""From a case's images to its label map, with one trained network or several."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from uumamba.core.errors import ChannelError, InputError, UumambaError
from uumamba.core.files import hash_json
from uumamba.data.plan import Plan
from uumamba.data.preprocess import preprocess_case, restore_labels
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle, build_network
from uumamba.inference.sliding_window import predict_logits

_AGREED = ("labels", "channels", "configuration", "orientation", "axes", "spacing_mm")
_SLICES_AT_ONCE = 8


class Predictor:
    """Networks that are loaded once and applied to any number of cases.

    `overlap` and `batch_size` as in `predict_logits`; without `batch_size` it is one 3D window or eight slices. With
    `mirror` the logits are averaged over the flips that the bundle allows, which takes 2^axes times as long. Several
    bundles are an ensemble: the mean of their logits, as nnU-Net averages folds.
    Raises `InputError` if there is no bundle, if they preprocess differently or name their structures differently.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        device: torch.device | str = "cpu",
        overlap: float = 0.5,
        mirror: bool = False,
        batch_size: int | None = None,
    ) -> None:
        _require_agreement(bundles)
        self.device = torch.device(device)
        self.plan = bundles[0].description.plan
        self.labels = self.plan.labels
        self.overlap, self.mirror, self.batch_size = overlap, mirror, batch_size
        self._members = [(bundle.description, build_network(bundle).to(self.device)) for bundle in bundles]
        self._hashes = sorted(bundle.sha256 for bundle in bundles)

    @property
    def sha256(self) -> str:
        """The same for predictors that give the same label maps: from the bundles' bytes, `overlap` and `mirror`."""
        return hash_json({"bundles": self._hashes, "overlap": self.overlap, "mirror": self.mirror})

    def predict(self, images: Sequence[Image]) -> np.ndarray:
        """The label map, uint8 (x, y, z), on the grid of the case's images, one image for each channel of the plan.

        Raises `InputError` if there are more or fewer images than channels, or if their grids differ.
        """
        require_images(images, self.plan)
        prepared = preprocess_case(images, self.plan)
        logits = self.predict_logits(torch.from_numpy(prepared.data))
        if not torch.isfinite(logits).all():
            raise UumambaError("the network's output is not finite; look for extreme intensities in the image")
        return restore_labels(logits.cpu().numpy(), prepared.geometry, self.plan)

    def predict_logits(self, data: Tensor) -> Tensor:
        """Mean logits of all networks, float32 `(classes, *3D network axes)`, of preprocessed `data` of such axes."""
        with torch.inference_mode():
            total = self._member_logits(0, data)
            for index in range(1, len(self._members)):
                total += self._member_logits(index, data)
            return total.div_(len(self._members))

    def _member_logits(self, index: int, data: Tensor) -> Tensor:
        description, network = self._members[index]
        plan = description.plan
        return predict_logits(
            network,
            data,
            patch_size=plan.patch_size,
            overlap=self.overlap,
            mirror_axes=plan.patch_axes(description.mirrored_axes) if self.mirror else (),
            batch_size=self.batch_size or (_SLICES_AT_ONCE if plan.spatial_dims == 2 else 1),
            device=self.device,
        )


def require_images(images: Sequence[Image], plan: Plan) -> None:
    """Raise `ChannelError` unless there is one image for each channel of the plan."""
    if len(images) != len(plan.channels):
        names = ", ".join(channel.name for channel in plan.channels)
        raise ChannelError(
            f"the model takes {len(plan.channels)} image(s) per case ({names}), got {len(images)}; "
            "give one image per channel, in this order"
        )


def _require_agreement(bundles: Sequence[Bundle]) -> None:
    if not bundles:
        raise InputError("a predictor needs at least one bundle; give a bundle or a finished run's folder")
    first, *others = bundles
    for other in others:
        for name in _AGREED:
            ours, theirs = getattr(first.description.plan, name), getattr(other.description.plan, name)
            if ours != theirs:
                raise InputError(
                    f"{first.path} and {other.path} cannot be averaged: their plans differ in {name} "
                    f"({ours} and {theirs}); give bundles of one data set and one configuration, or predict with each "
                    "alone"
                )

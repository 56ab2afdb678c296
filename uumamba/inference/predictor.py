"""From a case's images to its label map, with one trained network or several."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from uumamba.core.errors import ChannelError, InputError, UumambaError
from uumamba.core.files import hash_json
from uumamba.core.held_memory import can_measure_peak, forget_peak, held_bytes
from uumamba.data.memory import reading_bytes
from uumamba.data.plan import Plan
from uumamba.data.preprocess import PreprocessedCase, preprocess_case
from uumamba.data.restoration import restored_slabs
from uumamba.imaging.image import Image, ImageSize
from uumamba.inference.bundle import Bundle, BundleDescription, build_network
from uumamba.inference.ensemble import combine, mirrored_opinion
from uumamba.inference.input_check import features_of, flags_of
from uumamba.inference.memory import Demand, Footing, forward_bytes
from uumamba.inference.mirroring import mirrored_mean
from uumamba.inference.placed_region import PlacedRegion, place
from uumamba.inference.postprocessing import Postprocessing, shared_postprocessing
from uumamba.inference.prediction import Prediction
from uumamba.inference.prediction_volume import PredictionVolume
from uumamba.inference.region import finder_of
from uumamba.inference.sliding_window import predict_slabs
from uumamba.measures.expected_dice import expected_dice

_AGREED = ("labels", "channels", "configuration", "orientation", "axes", "spacing_mm")
_SLICES_AT_ONCE = 8


@dataclass(frozen=True)
class _Member:
    """One network of the ensemble; the weights of all sum to 1."""

    description: BundleDescription
    network: nn.Module
    weight: float

    @property
    def temperature(self) -> float:
        """What its logits are divided by."""
        return self.description.calibration.temperature


class Predictor:
    """Networks that are loaded once and applied to any number of cases.

    `overlap` and `batch_size` as in `predict_slabs`; without `batch_size` it is one 3D window or eight slices. With
    `mirror` the logits are averaged over the flips that the bundle allows, which takes 2^axes times as long. Several
    bundles are an ensemble: the mean of their calibrated probabilities with `weights`, positive numbers, all alike
    unless they are given. `postprocess` applies what all bundles' validations chose. Inputs are compared with the
    `fingerprint` of the first bundle that has one. Bundles with coarse networks segment only the region of interest,
    the box that holds what any of these finds; around it all is background.
    Raises `InputError` if there is no bundle, if they preprocess differently or name their structures differently, if
    only some have a coarse network, and for weights that do not fit.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        weights: Sequence[float] | None = None,
        device: torch.device | str = "cpu",
        overlap: float = 0.5,
        mirror: bool = False,
        postprocess: bool = True,
        batch_size: int | None = None,
    ) -> None:
        _require_agreement(bundles)
        shares = _shares(weights, len(bundles))
        self.device = torch.device(device)
        self.description = bundles[0].description
        self.plan, self.labels = self.description.plan, self.description.labels
        self.overlap, self.mirror, self.batch_size = overlap, mirror, batch_size
        descriptions = [bundle.description for bundle in bundles]
        chosen = shared_postprocessing([each.postprocessing for each in descriptions])
        self.postprocessing = chosen if postprocess else Postprocessing()
        self.postprocessing.require_known(self.labels)
        self.fingerprint = next((each.fingerprint for each in descriptions if each.fingerprint is not None), None)
        self._members = [
            _Member(bundle.description, build_network(bundle).to(self.device), share)
            for bundle, share in zip(bundles, shares, strict=True)
        ]
        finders = [finder_of(bundle, self.device) for bundle in bundles]
        self._finders = [finder for finder in finders if finder is not None]
        self._hashes = sorted((bundle.sha256, share) for bundle, share in zip(bundles, shares, strict=True))

    @property
    def sha256(self) -> str:
        """The same for predictors that give the same label maps: from the bundles' bytes, weights and settings."""
        return hash_json(
            {
                "bundles": self._hashes,
                "overlap": self.overlap,
                "mirror": self.mirror,
                "postprocessing": self.postprocessing.model_dump(mode="json"),
            }
        )

    @property
    def opinions(self) -> int:
        """How many opinions there are on each voxel: networks, and their mirrored copies."""
        return sum(2 ** len(self._mirror_axes(member.description)) for member in self._members)

    def predict(self, images: Sequence[Image], *, maps: bool = False) -> Prediction:
        """The label map with its confidence on the grid of the case's images, one image for each channel of the plan.

        `maps` asks for the maps of `Prediction`. Raises `InputError` if there are more or fewer images than channels,
        or if their grids differ; `UumambaError` if the network's output is not finite.
        """
        require_images(images, self.plan)
        prepared = preprocess_case(images, self.plan)
        features = features_of(images, prepared, self.plan) if self.fingerprint else None
        region = place(self._finders, prepared, self.plan, patch_size=self._largest_patch)
        volume, geometry = self._volume_of(prepared, region, maps=maps), prepared.geometry
        del prepared  # post-processing needs the room
        labels = self.postprocessing.apply(volume.labels, images[0].spacing_mm, self.labels)
        confidence = self._confidence(volume, labels)
        flags = flags_of(
            self.fingerprint,
            features,
            labels=labels,
            geometry=geometry,
            plan=self.plan,
            confidence=confidence,
        )
        if self._finders:
            flags += region.flags(labels)
        return Prediction(labels, confidence, flags, volume.entropy, volume.disagreement)

    def score_slabs(self, data: Tensor, *, disagreement: bool = False) -> Iterator[Tensor]:
        """Scores of preprocessed `data`, float32 `(outputs, n, *2 network axes)`, slab by slab on `device`.

        Of one network they are its logits, of several the logarithm of their mean probabilities (of regions the
        log-odds). `disagreement` puts that of all opinions behind the outputs.
        """
        slabs = zip(*(self._member_slabs(member, data, disagreement) for member in self._members), strict=True)
        if len(self._members) == 1:
            yield from (slab for (slab,) in slabs)
            return
        weights = [member.weight for member in self._members]
        temperatures = [member.temperature for member in self._members]
        for of_members in slabs:
            yield combine(of_members, weights, temperatures, self.labels)

    def bytes_of(self, size: ImageSize, *, maps: bool = False) -> int:
        """The main memory (bytes) that this process will hold at most for a case with images of this size.

        It counts what the process holds already, the images, and all that `predict` makes of them; of a series, whose
        frames are predicted one by one, the whole input and result. Raises `OSError` where memory cannot be measured.
        """
        demand = Demand(
            patches=tuple(member.description.plan.patch_size for member in self._members) if self._is_on_cpu else (),
            forward_bytes=self._footing.forward,
            maps=maps,
            opinions=self.opinions,
            postprocessing_bytes=self.postprocessing.bytes_per_voxel,
            coarse=tuple(finder.description.plan for finder in self._finders),
        )
        predicting = demand.of(size, self.plan) + demand.series_bytes(size)
        return self._footing.held + max(reading_bytes(size), predicting)

    def result_bytes(self, *, maps: bool) -> int:
        """The bytes of each voxel's result, with a copy of it on its way into a file."""
        opinions = self.opinions
        return 2 * PredictionVolume.bytes_per_voxel(keep_winner=False, maps=maps, opinions=opinions)

    @property
    def temperature(self) -> float:
        """What the scores are divided by to become logits of calibrated probabilities."""
        return self._members[0].temperature if len(self._members) == 1 else 1.0

    def _volume_of(self, prepared: PreprocessedCase, region: PlacedRegion, *, maps: bool) -> PredictionVolume:
        geometry, (_, *shape) = prepared.geometry, prepared.data.shape
        volume = PredictionVolume(
            region.geometry,
            self.plan,
            temperature=self.temperature,
            keep_winner=bool(self.postprocessing.steps),
            maps=maps,
            opinions=self.opinions,
        )
        slabs = self.score_slabs(region.data_of(prepared), disagreement=maps and self.opinions > 1)
        whole = (shape[0], shape[1], shape[2])
        for slab in restored_slabs(map(_finite, slabs), whole, geometry, self.plan, part=region.part):
            volume.add(slab)
        return volume

    def _confidence(self, volume: PredictionVolume, labels: NDArray[np.uint8]) -> dict[str, float | None]:
        """Expected Dice of each structure in the label map as it is after post-processing."""
        sums = volume.sums_in_mask_of(labels)
        # Slice by slice: counting makes eight bytes of each voxel.
        voxels = np.sum([np.bincount(each.ravel(), minlength=self.labels.classes) for each in labels], axis=0)
        output_of = self.labels.output_of
        return {
            name: expected_dice(
                sums[output_of[name]], int(voxels[list(numbers)].sum()), volume.probability_sums[output_of[name]]
            )
            for name, numbers in self.labels.members.items()
        }

    def _member_slabs(self, member: _Member, data: Tensor, disagreement: bool) -> Iterator[Tensor]:
        plan = member.description.plan
        axes = self._mirror_axes(member.description)
        return predict_slabs(
            partial(
                mirrored_opinion, member.network, mirror_axes=axes, temperature=member.temperature, labels=self.labels
            )
            if disagreement
            else partial(mirrored_mean, member.network, mirror_axes=axes),
            data,
            patch_size=plan.patch_size,
            overlap=self.overlap,
            batch_size=self._windows_at_once,
            device=self.device,
        )

    @property
    def _is_on_cpu(self) -> bool:
        return self.device.type == "cpu"

    @cached_property
    def _footing(self) -> Footing:
        """What the process holds before its first case, and for the feature maps of one."""
        if not can_measure_peak(torch.device("cpu")):
            raise OSError("this system does not tell how much memory a process holds")
        fine = [(each.network, each.description.plan, self._windows_at_once) for each in self._members]
        coarse = [(each.network, each.description.plan, 1) for each in self._finders]
        networks = [*fine, *coarse] if self._is_on_cpu else []
        of_networks = [forward_bytes(network, plan, windows=count) for network, plan, count in networks]
        forget_peak(torch.device("cpu"))  # what the passes have freed is used again and counts once
        return Footing(held=held_bytes(torch.device("cpu")), forward=max(of_networks, default=0))

    @property
    def _largest_patch(self) -> tuple[int, ...]:
        patches = (member.description.plan.patch_size for member in self._members)
        return tuple(max(along) for along in zip(*patches, strict=True))

    @property
    def _windows_at_once(self) -> int:
        return self.batch_size or (_SLICES_AT_ONCE if self.plan.spatial_dims == 2 else 1)

    def _mirror_axes(self, description: BundleDescription) -> tuple[int, ...]:
        return description.plan.patch_axes(description.mirrored_axes) if self.mirror else ()


def require_images(images: Sequence[Image], plan: Plan) -> None:
    """Raise `ChannelError` unless there is one image for each channel of the plan."""
    if len(images) != len(plan.channels):
        names = ", ".join(channel.name for channel in plan.channels)
        raise ChannelError(
            f"the model takes {len(plan.channels)} image(s) per case ({names}), got {len(images)}; "
            "give one image per channel, in this order"
        )


def _finite(slab: Tensor) -> NDArray[np.float32]:
    if not torch.isfinite(slab).all():
        raise UumambaError("the network's output is not finite; look for extreme intensities in the image")
    return slab.cpu().numpy()


def _shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """Weights that sum to 1."""
    if weights is None:
        return [1 / count] * count
    if len(weights) != count or not all(0 < weight < math.inf for weight in weights):
        raise InputError(
            f"weights {', '.join(f'{weight:g}' for weight in weights)} for {count} model(s): give none, or one "
            "number above 0 for each model"
        )
    return [weight / math.fsum(weights) for weight in weights]


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
        if (first.description.roi is None) != (other.description.roi is None):
            raise InputError(
                f"{first.path} and {other.path} cannot be averaged: only one of them has a coarse network that finds "
                "the region of interest; give bundles that all have one or none, or predict with each alone"
            )

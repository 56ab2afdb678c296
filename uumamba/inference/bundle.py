"""The bundle: one safetensors file with a trained network and all that is needed to use it and to judge it.

The tensors are the network's state; those of a coarse network for the region of interest lie beside them, with a
prefix. The header's metadata is text: `format`, `format_version`, one JSON value for each field of `BundleDescription`,
and `model_card`, the same in Markdown for people. Nothing in it is ever executed.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, JsonValue, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from uumamba.core.errors import InputError, UumambaError
from uumamba.core.files import atomic, hash_file
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings, first_problem
from uumamba.data.fingerprint import Fingerprint
from uumamba.data.plan import Plan
from uumamba.inference.bundle_file import BUNDLE_NAME, find_bundle
from uumamba.inference.calibration import Calibration
from uumamba.inference.model_card import write_model_card
from uumamba.inference.network import network_of
from uumamba.inference.postprocessing import Postprocessing
from uumamba.inference.roi import RoiDescription
from uumamba.models.networks import NetworkSettings
from uumamba.scan import ScanBackend

FORMAT = "uumamba-bundle"
FORMAT_VERSION = 2
"""Bundles with a coarse network are of format 2, all others still of 1, so that older programs read them."""
_ROI_PREFIX = "roi:"


class TrainingRecord(Settings):
    """How the weights came about: enough to find the run again and to see which data they saw.

    `epochs` are those behind the weights, which are a moving average of the training's if they are `averaged`; `cases`
    are the names of the training cases; `data_hash` the hash of all preprocessed cases of the fold; `scores` the mean
    Dice (or another number) by name, None where there is no number; `configuration` the resolved configuration of the
    run.
    """

    seed: int | None = None
    epochs: int | None = None
    averaged: bool = False
    fold: int | str | None = None
    cases: tuple[str, ...] = ()
    data_hash: str | None = None
    scores: dict[str, float | None] = Field(default_factory=dict)
    configuration: dict[str, JsonValue] = Field(default_factory=dict)


class Origin(Settings):
    """Where imported weights come from.

    `folder` and `checkpoint` are names, not paths; `nnunet` is the generation that wrote the folder. `contradictions`
    are sentences on what folder, checkpoint and weights say differently, and which was believed.
    """

    folder: str
    checkpoint: str
    checkpoint_sha256: str
    trainer: str
    plans: str
    configuration: str
    nnunet: str
    contradictions: tuple[str, ...] = ()


class BundleDescription(Settings):
    """What a bundle says of its weights.

    `mirrored_axes` are the image axes (0 = x, 1 = y, 2 = z; canonical or stored, as the plan says) along which
    inference may mirror. `licence` and `citation` are those of the training data. Only imported weights have an
    `origin`. The `fingerprint` says what the training cases looked like; None if nobody measured it. With `roi` a
    coarse network in the same file finds the region of the image that is segmented.
    """

    plan: Plan
    network: NetworkSettings
    mirrored_axes: tuple[int, ...] = ()
    training: TrainingRecord = TrainingRecord()
    calibration: Calibration = Calibration()
    origin: Origin | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    licence: str = "unknown"
    citation: str = ""
    limitations: tuple[str, ...] = ()
    postprocessing: Postprocessing = Postprocessing()
    fingerprint: Fingerprint | None = None
    roi: RoiDescription | None = None

    @property
    def labels(self) -> LabelSet:
        """The structures that the network tells apart."""
        return self.plan.labels

    @property
    def model_card(self) -> str:
        """The description for people, in Markdown."""
        return write_model_card(
            plan=self.plan,
            network=self.network.model_dump(mode="json"),
            training=self.training.model_dump(mode="json"),
            origin=None if self.origin is None else self.origin.model_dump(mode="json"),
            versions=self.versions,
            terms={"Licence of the data": self.licence, "Cite": self.citation or "unknown"},
            use={
                "Made for images like these": () if self.fingerprint is None else self.fingerprint.in_words,
                "Probabilities": (self.calibration.sentence,),
                "Region of interest": () if self.roi is None else (self.roi.sentence,),
                "Post-processing": self.postprocessing.sentences(),
            },
            limitations=self.limitations,
        )


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory: its description, its tensors on the CPU, the file and the SHA-256 of its bytes.

    `roi_state` are the tensors of its coarse network, none if it has none.
    """

    description: BundleDescription
    state: Mapping[str, Tensor]
    path: Path
    sha256: str
    roi_state: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def coarse(self) -> "Bundle | None":
        """The coarse network as a bundle of its own, of the same file; None if there is none."""
        roi = self.description.roi
        if roi is None:
            return None
        return Bundle(BundleDescription(plan=roi.plan, network=roi.network), self.roi_state, self.path, self.sha256)


def write_bundle(
    path: Path,
    *,
    state: Mapping[str, Tensor],
    description: BundleDescription,
    roi_state: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a bundle atomically; floating-point tensors are kept as float32.

    Raises `UumambaError`, and writes nothing, if a weight is not finite, or unless there are tensors of a coarse
    network just if the description has one.
    """
    if (description.roi is None) != (not roi_state):
        raise UumambaError(f"{path}: not written: a coarse network needs both its tensors and its description")
    coarse = {f"{_ROI_PREFIX}{name}": tensor for name, tensor in (roi_state or {}).items()}
    tensors = {name: _stored(tensor) for name, tensor in {**state, **coarse}.items()}
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise UumambaError(f"{path}: not written, {len(broken)} tensors hold NaN or infinity: {_some(broken)}")
    fields = {name: json.dumps(value) for name, value in description.model_dump(mode="json").items()}
    version = str(1 if description.roi is None else FORMAT_VERSION)
    header = {"format": FORMAT, "format_version": version, **fields, "model_card": description.model_card}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=header)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle, or that of a run directory.

    Raises `InputError` if there is none, if the file is no safetensors file or is cut, if it was not written by
    `write_bundle`, or if a newer program wrote it. No file is ever unpickled.
    """
    file = find_bundle(path)
    with _opened(file) as opened:
        header = opened.metadata() or {}
        tensors = {name: opened.get_tensor(name) for name in list(opened.keys())}
    roi_state = {name.removeprefix(_ROI_PREFIX): each for name, each in tensors.items() if name.startswith(_ROI_PREFIX)}
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith(_ROI_PREFIX)}
    return Bundle(_describe(header, file), state, file, hash_file(file), roi_state)


def read_description(path: Path) -> BundleDescription:
    """What a bundle says of its weights, without reading them; raises as `read_bundle`."""
    file = find_bundle(path)
    with _opened(file) as opened:
        header = opened.metadata() or {}
    return _describe(header, file)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            yield opened
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file}: not a readable safetensors file ({error}); copy the bundle again") from None


def build_network(
    bundle: Bundle, *, scan_backend: ScanBackend = "auto", checkpoint_stages: Collection[int] = ()
) -> nn.Module:
    """The bundle's network on the CPU with its weights, in evaluation mode; otherwise as `fresh_network`."""
    network = fresh_network(bundle, scan_backend=scan_backend, checkpoint_stages=checkpoint_stages)
    network.load_state_dict(dict(bundle.state))
    return network.eval()


def fresh_network(
    bundle: Bundle, *, scan_backend: ScanBackend = "auto", checkpoint_stages: Collection[int] = ()
) -> nn.Module:
    """The bundle's network with weights of its own, which the bundle's tensors fit.

    It has the extra heads of deep supervision if it was trained with them; in evaluation they are not used, nor are
    `checkpoint_stages`. Raises `InputError` with the names if tensors are missing, superfluous or of another shape.
    """
    plan, settings = bundle.description.plan, bundle.description.network
    build = partial(network_of, plan, settings, scan_backend=scan_backend, checkpoint_stages=checkpoint_stages)
    network = build(deep_supervision=True)
    if network.state_dict().keys() != bundle.state.keys():
        network = build(deep_supervision=False)
    _require_fit(network.state_dict(), bundle)
    return network


def _require_fit(expected: Mapping[str, Tensor], bundle: Bundle) -> None:
    missing = sorted(expected.keys() - bundle.state.keys())
    superfluous = sorted(bundle.state.keys() - expected.keys())
    shared = expected.keys() & bundle.state.keys()
    reshaped = sorted(name for name in shared if expected[name].shape != bundle.state[name].shape)
    if missing or superfluous or reshaped:
        raise InputError(
            f"{bundle.path}: its tensors do not fit its own description: missing {_some(missing)}; superfluous "
            f"{_some(superfluous)}; of another shape {_some(reshaped)}; write the bundle again from its run"
        )


def _stored(tensor: Tensor) -> Tensor:
    """A copy of its own on the CPU: safetensors refuses tensors that share memory."""
    kept = tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else None)
    return kept.clone(memory_format=torch.contiguous_format)


def _describe(header: Mapping[str, str], file: Path) -> BundleDescription:
    if header.get("format") != FORMAT:
        raise InputError(
            f"{file}: a safetensors file, but no uumamba bundle (format {header.get('format')!r}, must be {FORMAT!r}); "
            f"give the {BUNDLE_NAME} of a finished run"
        )
    version = header.get("format_version", "")
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        raise InputError(
            f"{file}: bundle format {version!r}, this program reads up to {FORMAT_VERSION}; install a newer uumamba"
        )
    try:
        fields = {name: json.loads(header[name]) for name in BundleDescription.model_fields if name in header}
        return BundleDescription.model_validate(fields)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}: its header is broken ({error}); write the bundle again from its run") from None
    except ValidationError as error:
        raise InputError(
            f"{file}: its header is not understood: {first_problem(error)}; write the bundle again from its run"
        ) from None


def _some(names: list[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit]) or "none"
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown

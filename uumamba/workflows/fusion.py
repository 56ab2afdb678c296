"""uumamba fusion: what the FreqFusion of a trained decoder does in one case."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from torch import nn

from uumamba.core.console import make_console
from uumamba.core.device import choose_device
from uumamba.core.errors import InputError
from uumamba.core.files import hash_file, write_json
from uumamba.core.log import log
from uumamba.core.machine import describe_run
from uumamba.data.plan import Plan
from uumamba.data.preprocess import PreprocessedCase, plan_spacing, preprocess_case
from uumamba.evaluation.number_text import number_text
from uumamba.evaluation.table import write_csv
from uumamba.imaging.files import image_stem, read_image, read_label_map
from uumamba.inference.backends import backends_of
from uumamba.inference.bundle import Bundle, build_network, read_bundle
from uumamba.inference.fusion_maps import UNITS, UNKNOWN, BorderRow, border_rows, fused_stages, fusion_maps
from uumamba.inference.patch_around import LabelledPatch, choose_slice, patch_around
from uumamba.inference.predictor import require_images
from uumamba.inference.scores import label_map_of
from uumamba.inference.sliding_window import predict_logits
from uumamba.reporting.fusion_figure import FusedPatch, fusion_figure
from uumamba.reporting.style import save_figure

COLUMNS = ("stage", "quantity", "unit", "border", "elsewhere", "ratio", "border_voxels", "elsewhere_voxels")


def fusion(
    model: Path,
    image: Path,
    output: Path,
    *,
    reference: Path | None = None,
    slice_: int | None = None,
    device_name: str = "auto",
) -> tuple[BorderRow, ...]:
    """Draw `fusion.png` and write `fusion.csv` and `fusion.json` into `output`; returns the table's rows.

    Structures are the network's own, or the `reference`'s. `slice_` (from 1, along the first network axis of the
    network's grid) is the one with most of them unless it is given. What these files held is overwritten. Raises
    `InputError` if `output` is a file, if the model has no FreqFusion, and if there is no structure to look at.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder with --output")
    bundle = read_bundle(model)
    device = choose_device(device_name)
    network = build_network(bundle).to(device)
    if not fused_stages(network):
        raise InputError(
            f"{bundle.path}: its decoder has no FreqFusion, so there is nothing to look at; train a model with --set "
            "network.decoder.name=freqfusion"
        )
    plan = bundle.description.plan
    case = _prepare(image, reference, plan)
    labels = _predict(network, case, plan, device) if reference is None else _known(case, plan, reference)
    patch = patch_around(case.data, labels, choose_slice(labels, slice_), plan, outside=UNKNOWN)
    stages = fusion_maps(network, patch.data.to(device))
    rows = tuple(row for stage in stages for row in border_rows(stage, patch.labels))
    write_csv(output / "fusion.csv", COLUMNS, map(_cells, rows))
    write_json(output / "fusion.json", _describe(bundle, image, reference, patch, device))
    _, *spacing_mm = plan_spacing(case.geometry, plan)
    subject = FusedPatch(
        patch.data[0].numpy(), patch.labels, patch.depth, (spacing_mm[0], spacing_mm[1]), plan.labels.painted
    )
    whose = "the network's own structures" if reference is None else "the reference's structures"
    place = f"slice {patch.slice_ + 1} of {len(labels)}"
    save_figure(
        fusion_figure(stages, rows, subject, title=f"FreqFusion in {image_stem(image)}, {place}, {whose}"),
        output / "fusion.png",
    )
    make_console().print(_table(rows))
    log.info("done: %s, fusion.csv and fusion.json, %s, %s", output / "fusion.png", place, whose)
    return rows


def _prepare(image: Path, reference: Path | None, plan: Plan) -> PreprocessedCase:
    """The case as the network sees it."""
    scene, label_map = read_image(image), None if reference is None else read_label_map(reference)
    for note in scene.repairs:
        log.info("%s: %s", image, note)
    require_images([scene], plan)
    return preprocess_case([scene], plan, label_map)


def _predict(network: nn.Module, case: PreprocessedCase, plan: Plan, device: torch.device) -> NDArray[np.integer]:
    """The network's own label map on its grid."""
    logits = predict_logits(network, torch.from_numpy(case.data), patch_size=plan.patch_size, device=device)
    labels: NDArray[np.integer] = label_map_of(logits, plan.labels, dim=0).to(torch.int16).cpu().numpy()
    return labels if plan.labels.regions is None else plan.labels.paint(labels).astype(np.int16)


def _known(case: PreprocessedCase, plan: Plan, reference: Path) -> NDArray[np.integer]:
    """The reference on the network's grid; what it leaves open is unknown."""
    labels: NDArray[np.integer] = np.zeros(0, np.int16) if case.labels is None else np.maximum(case.labels[0], 0)
    ignored = labels == plan.labels.ignore
    labels = np.where(ignored, 0, labels)
    if labels.max() >= plan.labels.classes:
        raise InputError(
            f"{reference}: its labels go up to {labels.max()}, the model knows 0 to {plan.labels.classes - 1} "
            f"({', '.join(plan.labels.names)}); give a label map of these structures"
        )
    painted = labels if plan.labels.regions is None else plan.labels.paint(labels)
    return np.where(ignored, UNKNOWN, painted).astype(np.int16)


def _describe(
    bundle: Bundle, image: Path, reference: Path | None, patch: LabelledPatch, device: torch.device
) -> dict[str, object]:
    """From what the picture was made, and on what machine."""
    return {
        **describe_run(device),
        "precision": "fp32",
        **backends_of([bundle.description.network], scan_backend="auto", device=device),
        "model": {"path": str(bundle.path), "sha256": bundle.sha256},
        "input": {"path": str(image), "sha256": hash_file(image)},
        "reference": None if reference is None else {"path": str(reference), "sha256": hash_file(reference)},
        "slice": patch.slice_ + 1,
        "patch_size": patch.labels.shape,
        "notice": "research use only",
    }


def _cells(row: BorderRow) -> tuple[str | float | None, ...]:
    counts = (row.border_voxels, row.elsewhere_voxels)
    return (row.stage, row.quantity, UNITS[row.quantity], row.border, row.elsewhere, row.ratio, *counts)


def _table(rows: tuple[BorderRow, ...]) -> Table:
    """The means for the screen."""
    table = Table("stage", "quantity", "unit")
    table.add_column("at borders", justify="right")
    table.add_column("elsewhere", justify="right")
    table.add_column("")
    for row in rows:
        numbers = (number_text(value, ".4g") for value in (row.border, row.elsewhere))
        table.add_row(row.stage, row.quantity.replace("_", " "), UNITS[row.quantity], *numbers, row.words)
    return table

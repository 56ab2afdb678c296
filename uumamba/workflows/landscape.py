"""uumamba landscape: how sharp the minimum is that a run found."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import Tensor, nn

from uumamba.config import RunConfig, load_config
from uumamba.core.console import make_console
from uumamba.core.device import choose_device
from uumamba.core.errors import InputError
from uumamba.core.files import write_json
from uumamba.core.log import log
from uumamba.core.machine import describe_run
from uumamba.core.progress import progress_bar, track
from uumamba.core.seeding import derive_seed
from uumamba.data.loader import PatchBatch, build_loader, level_strides, patches_of
from uumamba.data.work_folder import WorkFolder
from uumamba.inference.backends import backends_of
from uumamba.inference.bundle import Bundle, build_network, read_bundle
from uumamba.losses.segmentation import SegmentationLoss
from uumamba.optim.sharpness import (
    ascent_sharpness,
    default_step,
    extreme_eigenvalues,
    hessian_product,
    hutchinson_trace,
)
from uumamba.optim.slices import filter_normalised_direction, line_losses, plane_losses
from uumamba.optim.surface import LossSurface, surface_of
from uumamba.reporting.landscape import landscape_figure
from uumamba.reporting.style import save_figure
from uumamba.training.run_directory import RunDirectory
from uumamba.training.setup import NetworkWithLoss, loss_of

# One seed for every run, whatever its own: the same patches, random vectors and directions, so that runs compare.
_SEED = 0
_STREAM = "landscape"
_MOST_PRODUCTS = 20
_TRACE_SAMPLES = 10
_LINE = tuple(place / 10 for place in range(-10, 11))
_PLANE = tuple(place / 7 for place in range(-7, 8))


@dataclass(frozen=True)
class _Subject:
    """What is measured: a run's network and loss on fixed patches."""

    config: RunConfig
    bundle: Bundle
    network: nn.Module
    loss: SegmentationLoss
    patches: Sequence[PatchBatch]
    device: torch.device

    @property
    def surface(self) -> LossSurface:
        """The loss over the network's weights, in float32."""
        joined = NetworkWithLoss(self.network, self.loss)
        return surface_of(self.network, lambda _, batch: loss_of(joined, batch, self.device), self.patches)


def landscape(
    run: Path,
    output: Path | None = None,
    *,
    batches: int = 4,
    rho: float = 0.05,
    two_dimensional: bool = False,
    device: str | None = None,
) -> dict[str, Any]:
    """Measure the loss surface around a run's weights; returns and writes `landscape.json`, draws `landscape.png`.

    Both go into the run's folder unless `output` names another. The loss is the run's, at the weights of its terms with
    which the run began: learned ones would rescale it, and so every eigenvalue. Deep supervision is as in training.
    Raises `InputError` if `run` is no finished run in its work folder, or if `rho` is not finite or below 0.
    """
    if not (math.isfinite(rho) and rho >= 0):
        raise InputError(f"--rho {rho:g}: must be a finite distance of at least 0, such as 0.05")
    subject = _read(run, batches, device)
    folder = run if output is None else output
    surface = subject.surface
    record = _describe(subject, run) | {"rho": rho}
    log.info("%s", record["measured_on"])
    record |= _measure(surface, rho)
    # Before the slices, which with a plane take longest: whoever stops them has the numbers all the same.
    write_json(folder / "landscape.json", record)
    _print(record)
    slices = _slice(surface, two_dimensional=two_dimensional)
    record |= slices
    write_json(folder / "landscape.json", record)
    figure = landscape_figure(
        _LINE,
        slices["line"]["losses"],
        plane_places=_PLANE,
        plane=slices["plane"]["losses"] if two_dimensional else (),
        title=f"{run.resolve().parent.name}, {run.name}",
        note=f"top eigenvalue {record['top_eigenvalue']['value']:.3g}, "
        f"sharpness {_sharpness_text(record, '.3g')} at {rho:g}",
    )
    save_figure(figure, folder / "landscape.png")
    log.info("done: %s and landscape.png", folder / "landscape.json")
    return record


def _read(run: Path, batches: int, device_name: str | None) -> _Subject:
    directory = RunDirectory(run)
    bundle = read_bundle(run)
    config = load_config(directory.config)
    plan, hardware = bundle.description.plan, config.hardware
    cases = WorkFolder(_work_folder(run, plan.configuration)).store(plan.configuration)
    device = choose_device(device_name or hardware.device)
    if hardware.threads is not None:
        torch.set_num_threads(hardware.threads)
    torch.use_deterministic_algorithms(config.deterministic and device.type == "cpu")
    deep_supervision = config.training.deep_supervision
    patches = patches_of(
        cases,
        plan,
        bundle.description.training.cases,
        deep_supervision=deep_supervision,
        seed=_SEED,
        stream=_STREAM,
    )
    loader = build_loader(
        patches,
        batch_size=plan.batch_size,
        iterations=batches,
        foreground_fraction=config.training.foreground_fraction,
    )
    network = build_network(
        bundle, scan_backend=hardware.scan_backend, checkpoint_stages=hardware.checkpoint_stages
    ).train()
    levels = len(level_strides(plan, deep_supervision=deep_supervision))
    loss = config.loss.build(labels=plan.labels, batch_dice=plan.batch_dice, levels=levels)
    return _Subject(config, bundle, network.to(device), loss.to(device), list(loader.epoch(0)), device)


def _work_folder(run: Path, configuration: str) -> Path:
    """`<work>/<data set>` of a run's folder; `InputError` if the preprocessed cases are not there."""
    place = run.resolve()
    folder = place.parents[2] if len(place.parents) > 2 else place
    cases = WorkFolder(folder).store(configuration).folder
    if place.parent.parent.name != "runs" or not cases.is_dir():
        raise InputError(
            f"{run}: must lie where it was trained, as <work>/<data set>/runs/<name>/fold_<n>, since the loss is "
            f"measured on the preprocessed cases of that work folder, which must hold {cases}"
        )
    return folder


def _describe(subject: _Subject, run: Path) -> dict[str, Any]:
    """What is measured, and on what machine."""
    plan, count = subject.bundle.description.plan, len(subject.patches)
    pixels = hashlib.sha256()
    for batch in subject.patches:
        for tensor in (batch["image"], *batch["target"]):
            pixels.update(tensor.numpy().tobytes())
    deep = subject.config.training.deep_supervision
    size = "x".join(map(str, plan.patch_size))
    return {
        **describe_run(subject.device),
        "precision": "fp32",
        **backends_of(
            [subject.config.network], scan_backend=subject.config.hardware.scan_backend, device=subject.device
        ),
        "run": str(run),
        "bundle_sha256": subject.bundle.sha256,
        "run_seed": subject.config.seed,
        "seed": _SEED,
        "loss_settings": subject.config.loss.model_dump(mode="json"),
        "term_weights": subject.loss.weights(),
        "deep_supervision": deep,
        "batches": count,
        "batch_size": plan.batch_size,
        "patch_cases": [batch["case"] for batch in subject.patches],
        "patches_sha256": pixels.hexdigest(),
        "parameters": sum(weight.numel() for weight in subject.network.parameters()),
        "measured_on": (
            f"{count} batches of {plan.batch_size} training patches {size} without augmentation, in fp32; loss as in "
            f"training {'with' if deep else 'without'} deep supervision, its terms at their initial weights"
        ),
    }


def _measure(surface: LossSurface, rho: float) -> dict[str, Any]:
    """Height, slope and curvature at the weights."""
    here, gradient, position = surface.loss(), surface.gradient(), surface.position()
    steps = {"eigenvalues": default_step(position), "trace": default_step(position, sharp=False)}
    # The vectors that Lanczos' method keeps stay in main memory, whatever computes the gradients.
    random = _random("vectors")
    start = torch.randn(surface.size, generator=random)
    with progress_bar() as progress:

        def counted(task_name: str, total: int) -> Callable[[Tensor], Tensor]:
            """Products for one task, shown on the screen."""
            task = progress.add_task(task_name, total=total)

            def product(vector: Tensor) -> Tensor:
                """H `vector`."""
                image = hessian_product(surface, vector, step=steps[task_name])
                progress.advance(task)
                return image

            return product

        extremes = extreme_eigenvalues(counted("eigenvalues", _MOST_PRODUCTS), start, most_products=_MOST_PRODUCTS)
        product = counted("trace", _TRACE_SAMPLES)
        trace = hutchinson_trace(product, start, samples=_TRACE_SAMPLES, generator=random)
    if not extremes.converged:
        log.info("the top eigenvalue has not converged after %d products; see its residual", extremes.products)
    return {
        "loss": here,
        "gradient_norm": float(torch.linalg.vector_norm(gradient)),
        "sharpness": ascent_sharpness(surface, gradient, rho=rho),
        "top_eigenvalue": asdict(extremes.highest),
        "lowest_eigenvalue": asdict(extremes.lowest),
        "products": extremes.products,
        "converged": extremes.converged,
        "trace": asdict(trace),
        "difference_steps": steps,
        "weights_norm": float(torch.linalg.vector_norm(position)),
    }


def _slice(surface: LossSurface, *, two_dimensional: bool) -> dict[str, Any]:
    """Losses along a random direction, and over the plane that it spans with another one."""
    random = _random("directions")
    first, second = (filter_normalised_direction(surface.weights, random) for _ in range(2))
    line = list(track(line_losses(surface, first, _LINE), "slice", total=len(_LINE)))
    slices: dict[str, Any] = {"line": {"places": _LINE, "losses": line}}
    if two_dimensional:
        plane = list(track(plane_losses(surface, first, second, _PLANE), "plane", total=len(_PLANE)))
        slices["plane"] = {"places": _PLANE, "losses": plane}
    return slices


def _random(purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(_SEED, _STREAM, purpose))


def _print(record: dict[str, Any]) -> None:
    top, lowest, trace = record["top_eigenvalue"], record["lowest_eigenvalue"], record["trace"]
    table = Table("measure", "value", "error")
    table.add_row("loss", f"{record['loss']:.4f}", "")
    table.add_row("gradient norm", f"{record['gradient_norm']:.4g}", "")
    table.add_row("top eigenvalue", f"{top['value']:.4g}", f"residual {top['residual']:.2g}")
    table.add_row("lowest eigenvalue", f"{lowest['value']:.4g}", f"residual {lowest['residual']:.2g}")
    table.add_row("trace", f"{trace['value']:.4g}", f"± {trace['standard_error']:.2g} ({trace['samples']} samples)")
    table.add_row(f"sharpness at {record['rho']:g}", _sharpness_text(record, ".4g"), "")
    make_console().print(table)


def _sharpness_text(record: dict[str, Any], form: str) -> str:
    return "not finite" if record["sharpness"] is None else format(record["sharpness"], form)

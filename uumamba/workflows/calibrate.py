"""uumamba calibrate: how far a bundle's probabilities may be believed, found on cases that it was not trained on."""

from collections.abc import Mapping
from pathlib import Path

from uumamba.core.device import choose_device
from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.core.machine import describe_run
from uumamba.data.datasets.table import find_dataset
from uumamba.data.plan import Plan
from uumamba.data.work_folder import WorkFolder
from uumamba.inference.bundle import Bundle, build_network, read_bundle, write_bundle
from uumamba.inference.voxel_sample import sample_size
from uumamba.training.validation import validate_volumes
from uumamba.workflows.calibration_result import CalibrationResult, conclude, show, write_calibration

_AGREED = ("labels", "channels", "orientation", "axes", "spacing_mm")
_NAMED = 3


def calibrate(
    model: Path,
    work: Path,
    dataset_name: str,
    *,
    fold: str | None = None,
    output: Path | None = None,
    device_name: str = "auto",
) -> CalibrationResult:
    """Fit a bundle's temperature on the validation cases of `fold`, else of its own, and keep it in the bundle.

    Writes `calibration.json`, `reliability.png` and `confidence.png` beside the bundle, or into `output`, and prints
    tables. Raises `InputError` if the fold holds out no case, if the bundle was trained on one of its cases or on their
    patients, or if the cases were preprocessed otherwise than the bundle asks for.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder with --output")
    bundle = read_bundle(model)
    plan = bundle.description.plan
    folder = WorkFolder(work / find_dataset(dataset_name).name)
    fold = _fold_of(bundle) if fold is None else fold
    cases = _held_out_cases(bundle, folder, fold)
    _require_same_preprocessing(bundle, folder.read_plan(plan.configuration))
    device = choose_device(device_name)
    network = build_network(bundle).to(device)
    size = sample_size(len(cases), plan.labels.classes)
    validated = validate_volumes(network, folder.store(plan.configuration), cases, plan, device, size=size)
    result = conclude(validated, plan.labels, folder.read_patients())
    origin = {
        **describe_run(device),
        "model": {"path": str(bundle.path), "sha256_before": bundle.sha256},
        "dataset": dataset_name,
        "fold": fold,
    }
    place = bundle.path.parent if output is None else output
    write_calibration(result, place, title=f"{bundle.path.resolve().parent.name}, fold {fold}", origin=origin)
    changed = bundle.description.model_copy(update={"calibration": result.fit.calibration})
    write_bundle(bundle.path, state=bundle.state, description=changed)
    show(result)
    log.info("%s keeps it; %s and pictures are beside it", bundle.path, place / "calibration.json")
    return result


def _fold_of(bundle: Bundle) -> str:
    """The fold that the bundle was trained on."""
    fold = bundle.description.training.fold
    if fold is None:
        raise InputError(f"{bundle.path}: does not say on which fold it was trained; name a fold with --fold")
    if str(fold) == "all":
        raise InputError(
            f"{bundle.path}: was trained on every case (fold all), so none is left to calibrate it with; calibrate the "
            "bundle of a fold that holds cases out"
        )
    return str(fold)


def _held_out_cases(bundle: Bundle, folder: WorkFolder, fold: str) -> tuple[str, ...]:
    """The fold's validation cases, none of whose patients the bundle was trained on."""
    cases = folder.read_fold(fold).validation
    if not cases:
        raise InputError(f"--fold {fold}: holds out no case to calibrate with; name a fold from 0")
    seen = bundle.description.training.cases
    if not seen:
        log.warning(
            "%s does not name the cases that it was trained on: that it never saw those of fold %s is not checked",
            bundle.path,
            fold,
        )
    leaked = _leaked(cases, seen, folder.read_patients())
    if leaked:
        more = f" and {len(leaked) - _NAMED} more" if len(leaked) > _NAMED else ""
        raise InputError(
            f"{bundle.path}: was trained on {len(leaked)} of the {len(cases)} cases of fold {fold}, or on their patients "
            f"({', '.join(leaked[:_NAMED])}{more}), on which it is surer than elsewhere; leave --fold out"
        )
    return cases


def _leaked(cases: tuple[str, ...], seen: tuple[str, ...], patients: Mapping[str, str]) -> list[str]:
    known = {patients.get(case, case) for case in seen}
    return [case for case in cases if case in seen or patients.get(case, case) in known]


def _require_same_preprocessing(bundle: Bundle, planned: Plan) -> None:
    for name in _AGREED:
        ours, theirs = getattr(bundle.description.plan, name), getattr(planned, name)
        if ours != theirs:
            raise InputError(
                f"{bundle.path}: its plan has other {name} ({ours}) than the preprocessed cases ({theirs}); preprocess "
                "the data as this model was trained, in another --work"
            )

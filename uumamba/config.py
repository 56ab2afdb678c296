"""Floor 5: all settings of a run in one tree, read from YAML and `--set`, with errors that name the key."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, NonNegativeInt, ValidationError, model_validator
from pydantic_core import ErrorDetails

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.files import write_text
from uumamba.core.settings import Settings
from uumamba.core.strict_yaml import parse_yaml, read_yaml
from uumamba.data.augment import AugmentationSettings
from uumamba.data.plan import Plan, PlanningSettings
from uumamba.inference.roi import InferenceSettings
from uumamba.losses.segmentation import LossSettings
from uumamba.models.networks import NetworkSettings
from uumamba.models.umamba import UMambaSettings
from uumamba.optim.optimizers import OptimizerSettings, SGDSettings
from uumamba.optim.rules import RuleSettings
from uumamba.optim.schedules import PolySettings, ScheduleSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings
from uumamba.training.adapted_plan import PlanSettings
from uumamba.training.hardware import HardwareSettings
from uumamba.training.loop import TrainingSettings

_PACKAGE = Path(__file__).parent


class RunConfig(Settings):
    """Everything that a training run depends on, apart from its data and its fold.

    With `deterministic` the run uses torch's deterministic algorithms: two runs on one machine are then bitwise equal.
    """

    seed: NonNegativeInt = 0
    deterministic: bool = False
    planning: PlanningSettings = PlanningSettings()
    plan: PlanSettings = PlanSettings()
    network: NetworkSettings = UMambaSettings()
    loss: LossSettings = LossSettings()
    rule: RuleSettings = SharpnessAwareSettings()
    optimizer: OptimizerSettings = SGDSettings()
    schedule: ScheduleSettings = PolySettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    training: TrainingSettings = TrainingSettings()
    inference: InferenceSettings = InferenceSettings()
    hardware: HardwareSettings = HardwareSettings()

    @model_validator(mode="after")
    def _check(self) -> "RunConfig":
        chosen, planned, patch = self.plan.configuration, self.planning.configurations, self.plan.patch_size
        if chosen not in planned:
            raise ValueError(
                f"plan.configuration must be among planning.configurations {planned}, got {chosen}; set both"
            )
        axes = 2 if chosen == "2d" else 3
        if patch is not None and len(patch) != axes:
            raise ValueError(f"plan.patch_size must have {axes} sizes for {chosen}, got {patch}")
        return self

    def adapt(self, plan: Plan) -> Plan:
        """The plan of the run: with the wishes of `plan`, and the network's own blocks unless `plan.blocks` is set.

        Raises `ConfigError` if the patch size fits no network.
        """
        adapted = self.plan.adapt(plan)
        if self.plan.blocks is not None:
            return adapted
        return adapted.model_copy(update={"topology": self.network.adapt(adapted.topology)})


def config_directory() -> Path:
    """The folder of the shipped configurations: inside an installed package, or the checkout's own."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def shipped_configs() -> dict[str, Path]:
    """Name -> file of every shipped configuration, sorted by name."""
    return {path.stem: path for path in sorted(config_directory().glob("*.yaml"))}


def find_config(name_or_path: str) -> Path:
    """The file of a shipped configuration's name, or of a path; raises `ConfigError` with the names there are."""
    shipped = shipped_configs()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise ConfigError(f"--config {name_or_path}: neither a file nor a shipped configuration ({', '.join(shipped)})")


def config_for(dataset: str, name_or_path: str | None, overrides: Sequence[str]) -> RunConfig:
    """The configuration that a command asks for; without one, that of the data set's name, or else every default."""
    chosen = name_or_path or (dataset if dataset in shipped_configs() else None)
    return load_config(None if chosen is None else find_config(chosen), overrides)


def run_name(dataset: str, name_or_path: str | None) -> str:
    """What a run is called unless its user names it: after its configuration, as `config_for` chooses it."""
    if name_or_path is not None:
        return Path(name_or_path).stem
    return dataset if dataset in shipped_configs() else "default"


def dump_config(config: RunConfig) -> str:
    """Every setting as YAML, readable by `load_config`."""
    return str(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


def copy_config(name_or_path: str, target: Path) -> None:
    """Copy a configuration to a new file; an existing one is an `InputError`."""
    if target.exists():
        raise InputError(f"{target}: exists already; name another file")
    write_text(target, find_config(name_or_path).read_text(encoding="utf-8"))


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a configuration file and apply `key=value` overrides, each a dotted path and a YAML value.

    What neither names keeps its default. A mapping that names another variant (`name: ...`) replaces its branch; any
    other mapping changes only the keys that it holds. Raises one `ConfigError` that lists every problem.
    """
    tree = RunConfig().model_dump()
    sources: dict[str, str] = {}
    if path is not None:
        content = read_yaml(path)
        if not isinstance(content, dict | None):
            raise ConfigError(f"{path}: must hold a mapping of settings, got {content!r}")
        tree = _merge(tree, content or {})
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not all(key.split(".")):
            raise ConfigError(f"--set {override}: must be key=value, for example --set training.epochs=100")
        sources[key] = "--set"
        tree = _merge(tree, _nested(key.split("."), parse_yaml(value, f"--set {key}")))
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        problems = [_explain(detail, path, sources) for detail in error.errors()]
        raise ConfigError("\n".join(problems)) from None


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        same_variant = (
            isinstance(old, dict) and isinstance(value, dict) and value.get("name", old.get("name")) == old.get("name")
        )
        merged[key] = _merge(old, value) if same_variant and old is not None else value
    return merged


def _explain(detail: ErrorDetails, path: Path | None, sources: Mapping[str, str]) -> str:
    variants = {
        branch.model_fields["name"].default for _, branch in _branches(RunConfig) if "name" in branch.model_fields
    }
    key = ".".join(str(part) for part in detail["loc"] if part not in variants)
    source = (
        next((name for start, name in sources.items() if f"{start}.".startswith(key) or key.startswith(start)), None)
        or path
        or "configuration"
    )
    if not key:
        return f"{source}: {detail['msg'].removeprefix('Value error, ')}"
    unknown = detail["type"] == "extra_forbidden"
    message = "no such setting" if unknown else detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "union_tag_invalid":
        tag = detail["ctx"]["tag"]
        return f"{source}: {key}.name: must be one of {detail['ctx']['expected_tags']}, got {tag!r}"
    way_out = _nearest(key) if unknown else ""
    return f"{source}: {key}: {message}, got {detail['input']!r}{way_out}"


def _nearest(key: str) -> str:
    """Where to look instead of a key that is not there: at its own branch if only another variant has it."""
    if key in setting_keys():
        branch = key.rpartition(".")[0]
        return f"; only another {branch}.name has it: choose that one first, or leave it out"
    return f"; the nearest setting is {difflib.get_close_matches(key, setting_keys(), n=1, cutoff=0.0)[0]}"


def setting_keys() -> list[str]:
    """The dotted name of every setting there is, all variants included."""
    branches = list(_branches(RunConfig))
    inner = {prefix for prefix, _ in branches}
    keys = {prefix + name for prefix, branch in branches for name in branch.model_fields}
    return sorted(key for key in keys if f"{key}." not in inner)


def _branches(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every settings class in the tree, variants included, with the prefix of its keys."""
    yield prefix, model
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _branches(kind, f"{prefix}{name}.")

"""The cases that a coarse network is trained on, made from those that are stored for the network of full resolution."""

from collections.abc import Sequence
from dataclasses import dataclass

from uumamba.config import RunConfig
from uumamba.core.errors import ConfigError
from uumamba.core.files import hash_json
from uumamba.core.log import log
from uumamba.core.progress import track
from uumamba.data.coarse import COARSE_VERSION, any_structure, average, coarse_shape
from uumamba.data.foreground import foreground_locations
from uumamba.data.plan import Plan
from uumamba.data.store import CaseRecord, PreprocessedStore
from uumamba.data.work_folder import WorkFolder
from uumamba.inference.roi import coarse_plan


@dataclass(frozen=True)
class CoarseCases:
    """Where coarse cases are stored, and what they are made from: the cases of `fine`, with their `labels`' ignore."""

    fine: PreprocessedStore
    ignore: int | None
    store: PreprocessedStore
    plan: Plan

    def missing(self, cases: Sequence[str]) -> list[str]:
        """Those of these cases that are not stored, or were made from something else."""
        return [case for case in cases if not self.store.is_current(case, self._inputs(case))]

    def write(self, case: str) -> None:
        """Make one case."""
        data, labels = self.fine.read_case(case)
        record = self.fine.record(case)
        shape = coarse_shape(data.shape[1:], record.spacing_mm, self.plan.spacing_mm)
        steps = zip(data.shape[1:], record.spacing_mm, shape, strict=True)
        first, second, third = (size * fine / coarse for size, fine, coarse in steps)
        merged = any_structure(labels, shape, ignore=self.ignore)
        self.store.write(
            case,
            average(data, shape),
            merged,
            CaseRecord(
                inputs=self._inputs(case),
                spacing_mm=(first, second, third),
                geometry=record.geometry,
                details=record.details,
            ),
            foreground=foreground_locations(merged, ignore=self.plan.labels.ignore),
            patch_size=self.plan.patch_size,
        )

    def complete(self, cases: Sequence[str]) -> None:
        """Make those of these cases that are missing, one after the other."""
        missing = self.missing(cases)
        if not missing:
            return
        log.info("region of interest: %d cases to store in %s", len(missing), self.store.folder)
        for case in track(missing, "store coarse cases", total=len(missing)):
            self.write(case)

    def _inputs(self, case: str) -> str:
        made_from = {"fine": self.fine.record(case).inputs, "ignore": self.ignore, "version": COARSE_VERSION}
        return hash_json(made_from | {"spacing_mm": self.plan.spacing_mm})


def coarse_cases(folder: WorkFolder, config: RunConfig) -> CoarseCases:
    """The coarse cases of a run's data, those of each spacing in `preprocessed/roi_<configuration>_<spacing>`.

    Raises `ConfigError` without `inference.roi`.
    """
    if config.inference.roi is None:
        raise ConfigError("inference.roi is not set, so there is no coarse network; set it, for example to {}")
    planned = folder.read_plan(config.plan.configuration)
    plan = coarse_plan(planned, config.inference.roi)
    name = f"roi_{planned.configuration}_{'x'.join(f'{length:g}' for length in plan.spacing_mm)}mm"
    return CoarseCases(folder.store(planned.configuration), planned.labels.ignore, folder.store(name), plan)

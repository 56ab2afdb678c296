"""uumamba import: a model folder of nnU-Net, U-Mamba or UU-Mamba to bundles."""

from collections.abc import Sequence
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.inference.bundle import write_bundle
from uumamba.inference.model_card import IMAGE_AXES
from uumamba.inference.nnunet_folder import find_folds, read_fold
from uumamba.models.networks import NetworkSettings
from uumamba.models.umamba import UMambaSettings


def import_(folder: Path, output: Path, *, folds: Sequence[str], checkpoint: str) -> None:
    """Write one bundle per fold: `output` itself for one fold, else `<stem>_fold_<fold><suffix>` beside it.

    Without `folds` it is every numbered fold, or `fold_all`; one that is named twice is written once. Nothing is
    written unless all of them can be read.
    """
    chosen = tuple(dict.fromkeys(folds)) or find_folds(folder, checkpoint)
    targets = [output if len(chosen) == 1 else _beside(output, fold) for fold in chosen]
    for target in targets:
        if target.exists():
            raise InputError(f"{target}: exists already; name another file with --output, or remove it")
    imported = [read_fold(folder, fold, checkpoint) for fold in chosen]
    for target, fold, (description, state) in zip(targets, chosen, imported, strict=True):
        for contradiction in description.origin.contradictions if description.origin else ():
            log.warning("%s", contradiction)
        write_bundle(target, state=state, description=description)
        plan = description.plan
        log.info("%s: fold %s, %s %s", target, fold, plan.configuration, _in_words(description.network))
        log.info(IMAGE_AXES[plan.orientation])


def _in_words(network: NetworkSettings) -> str:
    if isinstance(network, UMambaSettings):
        return f"{network.generation}, Mamba {network.mamba}"
    return network.name


def _beside(output: Path, fold: str) -> Path:
    return output.with_name(f"{output.stem}_fold_{fold}{output.suffix}")

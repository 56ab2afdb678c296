"""A run's numbers as TensorBoard files, for those who look at many runs side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from uumamba.core.errors import ConfigError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_GROUPS = ("loss", "term", "dice", "weight")


class TensorBoardLog:
    """Writes rows of the history as scalars: `loss/...`, `term/...`, `dice/...`, `weight/...`, all others `run/...`.

    A resumed run gives as `first_epoch` the number of the epoch that it writes first; TensorBoard then hides what an
    earlier file holds of this epoch and later ones. Without the package `tensorboard` raises `ConfigError`.
    """

    def __init__(self, folder: Path, *, first_epoch: int = 1) -> None:
        self._writer = _load_writer()(folder, purge_step=first_epoch)

    def write(self, row: Mapping[str, float | int | None]) -> None:
        """Write a row of the history at its `epoch`, to the disk; None leaves a gap."""
        for name, value in row.items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(_tag(name), value, row["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def require_tensorboard() -> None:
    """Raise `ConfigError` if TensorBoard files cannot be written here."""
    _load_writer()


def _load_writer() -> type["SummaryWriter"]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            f"training.tensorboard: true needs the package tensorboard, which cannot be imported ({error}); "
            "run `pip install 'uumamba[tensorboard]'`, or set training.tensorboard=false"
        ) from None
    return SummaryWriter


def _tag(column: str) -> str:
    group, _, name = column.partition("_")
    return f"{group}/{name}" if group in _GROUPS else f"run/{column}"

"""Names and numbers of the structures in a label map."""

from pydantic import model_validator

from uumamba.core.settings import Settings


class LabelSet(Settings):
    """The structures of a label map: a name for each number, background first.

    Numbers are consecutive from 0, as networks and nnU-Net need them. Voxels numbered `ignore` (optional, behind the
    last structure) take part in no loss and no metric.
    """

    names: tuple[str, ...]
    ignore: int | None = None

    @model_validator(mode="after")
    def _check(self) -> "LabelSet":
        if len(self.names) < 2 or self.names[0] != "background" or len(set(self.names)) != len(self.names):
            raise ValueError(
                f"label names must be distinct, begin with 'background' and name a structure: {self.names}"
            )
        if self.ignore is not None and self.ignore < len(self.names):
            raise ValueError(f"the ignore label {self.ignore} must lie behind the last structure {len(self.names) - 1}")
        return self

    @property
    def classes(self) -> int:
        """Number of network outputs, background included."""
        return len(self.names)

    @property
    def structures(self) -> dict[str, int]:
        """Name -> number, without background and ignore label."""
        return {name: number for number, name in enumerate(self.names) if number > 0}

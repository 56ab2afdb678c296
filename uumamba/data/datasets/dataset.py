"""A data set: what is known of it, and how its files are found."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.datasets.listing import Listing


@dataclass(frozen=True)
class Dataset:
    """A data set, to be looked for in any folder, or lying at its own `root`.

    `index(root)` lists its cases with every problem of its layout. It raises `InputError` if there is no such folder,
    and lists nothing, with a problem, in a folder that is laid out differently.
    """

    description: DatasetDescription
    index: Callable[[Path], Listing]
    root: Path | None = None

    @property
    def name(self) -> str:
        """Its name, and that of its work folder."""
        return self.description.name

    def list_cases(self, data: Path | None) -> Listing:
        """What is in the folder `data`, or at its own root; `InputError` unless exactly one of them is given."""
        if self.root is None and data is None:
            raise InputError(f"--data: is missing; name the folder of {self.description.title}")
        if self.root is not None and data is not None:
            raise InputError(f"--data {data}: --dataset names {self.root} already; leave --data out")
        return self.index(data or self.root or Path())

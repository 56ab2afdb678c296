"""The PNG pictures of a folder, those that cannot be read named."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.reporting.html.page import Block, Note, Section
from uumamba.reporting.html.picture_file import read_picture


def picture_blocks(paths: Sequence[Path], captions: Mapping[str, str] | None = None) -> tuple[Block, ...]:
    """Every picture in this order, or a note in its place; a caption is by the file's stem, else the stem itself."""
    blocks: list[Block] = []
    for path in paths:
        caption = (captions or {}).get(path.stem, path.stem.replace("_", " ").capitalize())
        try:
            blocks.append(read_picture(path, caption=caption))
        except InputError as error:
            blocks.append(Note(str(error), "bad"))
    return tuple(blocks)


def other_pictures(folder: Path, *, known: Collection[str]) -> Section:
    """All pictures in the folder itself but the `known` ones, by name."""
    found = [path for path in sorted(folder.glob("*.png")) if path.name not in known and not path.name.startswith(".")]
    return Section("More pictures", "pictures", picture_blocks(found))

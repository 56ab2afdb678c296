"""Pictures in the page: their bytes, their size, and what they show in words."""

import base64
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.reporting.html.folder_pictures import other_pictures, picture_blocks
from uumamba.reporting.html.page import Note, Picture
from uumamba.reporting.html.picture_file import read_picture
from uumamba.reporting.style import new_figure, save_figure


def write_picture(path: Path, title: str = "") -> Path:
    """A small figure."""
    figure = new_figure(2.0, 1.0)
    figure.suptitle(title)
    save_figure(figure, path)
    return path


def test_a_picture_tells_its_figures_title(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "overlay.png", "ä case\n0.5 ± 0.1")
    picture = read_picture(path, caption="Worst")
    assert (picture.caption, picture.alt) == ("Worst: ä case 0.5 ± 0.1", "ä case 0.5 ± 0.1")
    assert base64.b64decode(picture.base64) == path.read_bytes()
    assert (picture.width, picture.height) == (200, 100)


def test_one_without_a_title_tells_its_caption(tmp_path: Path) -> None:
    picture = read_picture(write_picture(tmp_path / "overlay.png"), caption="Worst")
    assert (picture.caption, picture.alt) == ("Worst", "Worst")


def test_what_is_no_whole_picture_is_named_in_its_place(tmp_path: Path) -> None:
    whole = write_picture(tmp_path / "a_whole.png")
    cut, none = tmp_path / "b_cut.png", tmp_path / "c_none.png"
    cut.write_bytes(whole.read_bytes()[:200])
    none.write_text("no picture")
    for path in (cut, none):
        with pytest.raises(InputError, match=f"{path.name}: not a whole PNG picture"):
            read_picture(path, caption="")
    blocks = picture_blocks([whole, cut, none, tmp_path / "absent.png"])
    assert [type(block) for block in blocks] == [Picture, Note, Note, Note]
    assert isinstance(blocks[3], Note)
    assert "absent.png: cannot be read" in blocks[3].text


def test_other_pictures_are_those_of_the_folder_but_the_known_ones(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "known.png", ".1-a.png", "table.csv"):
        (write_picture(tmp_path / name) if name.endswith("png") else tmp_path / name).touch()
    section = other_pictures(tmp_path, known=("known.png",))
    assert [block.caption for block in section.blocks if isinstance(block, Picture)] == ["A", "B"]

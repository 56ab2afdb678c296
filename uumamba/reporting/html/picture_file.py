"""A PNG file as an embedded picture."""

import base64
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from uumamba.core.errors import InputError
from uumamba.reporting.html.page import Picture


def read_picture(path: Path, *, caption: str) -> Picture:
    """Embed a PNG; the title that its figure was given, if any, says what it shows.

    Raises `InputError` if it is no PNG.
    """
    content = path.read_bytes()
    try:
        with Image.open(path, formats=["PNG"]) as opened:
            opened.load()
            size, title = opened.size, str(opened.info.get("Title", ""))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not a PNG picture ({error}); draw it again, or remove it") from None
    words = " ".join(title.split())
    return Picture(
        caption=f"{caption}: {words}" if words else caption,
        alt=words or caption,
        base64=base64.b64encode(content).decode(),
        width=size[0],
        height=size[1],
    )

"""A PNG file as an embedded picture."""

import base64
import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from uumamba.core.errors import InputError
from uumamba.reporting.html.page import Picture


def read_picture(path: Path, *, caption: str) -> Picture:
    """Embed a PNG file as `embed_picture` does; `InputError` also if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); draw it again") from None
    return embed_picture(content, caption=caption, where=str(path))


def embed_picture(content: bytes, *, caption: str, where: str) -> Picture:
    """Embed a PNG; the title that its figure was given, if any, says what it shows.

    Raises `InputError`, which names the picture as `where`, if it is no whole PNG.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
            opened.load()
            size, title = opened.size, str(opened.info.get("Title", ""))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{where}: not a whole PNG picture ({error}); draw it again, or remove it") from None
    words = " ".join(title.split())
    return Picture(
        caption=f"{caption}: {words}" if words else caption,
        alt=words or caption,
        base64=base64.b64encode(content).decode(),
        width=size[0],
        height=size[1],
    )

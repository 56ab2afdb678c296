"""A page as HTML: one file that holds everything it shows and asks for nothing from anywhere."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import BaseLoader, Environment, StrictUndefined

from uumamba.reporting.html.page import Page
from uumamba.reporting.style import NOTE

_TEMPLATE = files("uumamba.reporting.html") / "template"


def render_page(page: Page, *, version: str) -> str:
    """The page's HTML; equal pages give equal bytes.

    All text is escaped. The browser is told to run no script and to take no style but the page's own, which it knows by
    their hashes, and to load nothing at all. `version` is that of the program that made the page.
    """
    environment = Environment(
        loader=BaseLoader(), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    style, script = _part("page.css"), _part("page.js")
    return environment.from_string(_part("page.html")).render(
        page=page,
        sections=[section for section in page.sections if section.blocks],
        style=style,
        script=script,
        policy=_policy(style, script),
        notice=NOTE,
        version=version,
    )


def _part(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""An HTML page as a browser would take it: its elements, each with its attributes and its text."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br", "hr", "input"}
NASTY = "<img src=x onerror=alert(1)>\"'&amp;</script></style>"
"""A name that would run a script if it were not escaped."""


@dataclass
class Element:
    """One element: its name, its attributes, and all text within it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class ParsedPage(HTMLParser):
    """The page's elements in their order; an end that fits no beginning is an error."""

    content: str
    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.content)
        self.close()
        assert not self.open, f"never closed: {[element.tag for element in self.open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag}: an attribute is there twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a beginning"
        assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        """The elements of one name."""
        return [element for element in self.elements if element.tag == tag]

    def texts(self, tag: str) -> list[str]:
        """Their texts, spaces and line ends made one space."""
        return [" ".join(element.text.split()) for element in self.all(tag)]


def require_safe(content: str) -> ParsedPage:
    """A page that holds all it shows, runs nothing but its own script, and tells those who cannot see what is there."""
    page = ParsedPage(content)
    for element in page.elements:
        assert element.tag not in ("iframe", "object", "embed", "base", "form", "audio", "video", "source")
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"{element.tag} {name}"
            assert name != "style", element.tag
            if name in ("src", "href", "data", "action", "srcset", "xlink:href"):
                assert value.startswith(("data:", "#")), value
    assert "url(" not in content
    assert "@import" not in content
    assert [len(page.all(tag)) for tag in ("script", "style", "h1", "main")] == [1, 1, 1, 1]
    identifiers = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {link.attributes["href"].removeprefix("#") for link in page.all("a")}
    assert targets == {section.attributes["id"] for section in page.all("section")}
    assert all(image.attributes["alt"] for image in page.all("img"))
    assert all(drawing.attributes["aria-label"] for drawing in page.all("svg"))
    assert all(heading.attributes.get("scope") in ("col", "row") for heading in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert page.texts("header")[0].startswith("Research use only.")
    return page

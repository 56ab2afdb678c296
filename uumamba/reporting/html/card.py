"""A model card as blocks of a page."""

from uumamba.reporting.html.page import Block, Heading, Lines, Note


def card_blocks(markdown: str) -> tuple[Block, ...]:
    """The headings, lists and paragraphs of `inference.model_card`; other Markdown stays as it is."""
    blocks: list[Block] = []
    for paragraph in markdown.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line.strip()]
        if not lines:
            continue
        if len(lines) == 1 and lines[0].startswith("#"):
            blocks.append(Heading(lines[0].lstrip("# ")))
        elif all(line.startswith("* ") for line in lines):
            blocks.append(Lines(tuple(line.removeprefix("* ") for line in lines)))
        else:
            blocks.append(Note(" ".join(lines)))
    return tuple(blocks)

"""Tables of text, printed and in HTML."""

from collections.abc import Sequence
from html import escape


def as_text(title: str, cells: Sequence[Sequence[str]]) -> str:
    """Return a table with a title and a head, columns under each other."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    return "\n".join([title, *lines])


def as_html(title: str, cells: Sequence[Sequence[str]]) -> str:
    """Return the same in HTML."""
    head, *body = cells
    line = lambda cells, tag: "".join(f"<{tag}>{escape(x)}</{tag}>" for x in cells)
    rows = "".join(f"<tr>{line(cells, 'td')}</tr>" for cells in body)
    return (
        f"<table><caption>{escape(title)}</caption>"
        f"<thead><tr>{line(head, 'th')}</tr></thead><tbody>{rows}</tbody></table>"
    )

"""Records written where the tables look, and tables read back as text."""

import json
from pathlib import Path

from bs4 import BeautifulSoup


def write(root: Path, where: str, content: dict) -> None:
    """Write a record below a repository's root."""
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def rows(page: str) -> list[list[str]]:
    """The cells of a page's tables, row by row, headings included."""
    cells = BeautifulSoup(page, "html.parser").select("table tr")
    return [[cell.get_text() for cell in row.find_all(["td", "th"])] for row in cells]

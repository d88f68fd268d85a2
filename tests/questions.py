"""The questions of a chapter, read from its Markdown as it is kept."""

import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted(path.stem for path in ROOT.glob("notebooks/[0-9][0-9]_*.py"))
OPEN = re.compile(r'<details class="answers"><summary>The answers?</summary>')


class Question(NamedTuple):
    """A paragraph, choices (none where a number is asked for), and what is folded away."""

    text: str
    choices: list[str]
    answers: list[str]  # of each choice; of the number, then of the usual mistakes


def questions(chapter: str) -> list[Question]:
    """Those of a chapter, in order; what does not have their form fails."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)
    (source,) = [c.source for c in notebook.cells if c.source.startswith("## Questions")]
    heading, *rest = SyntaxTreeNode(MarkdownIt().parse(source)).children
    assert heading.type == "heading"
    found = []
    while rest:
        question = _take(rest, "paragraph")
        choices = _items(_take(rest, "ordered_list")) if rest[0].type == "ordered_list" else []
        assert OPEN.fullmatch(_take(rest, "html_block").content.strip())
        if choices:
            answers = _items(_take(rest, "ordered_list"))
        else:
            answers = [_text(_take(rest, "paragraph"))]
            answers += _items(_take(rest, "bullet_list")) if rest[0].type == "bullet_list" else []
        assert _take(rest, "html_block").content.strip() == "</details>"
        found.append(Question(_text(question), choices, answers))
    return found


def _take(nodes: list[SyntaxTreeNode], kind: str) -> SyntaxTreeNode:
    node = nodes.pop(0)
    assert node.type == kind, f"{kind} expected at line {node.map}"
    return node


def _text(paragraph: SyntaxTreeNode) -> str:
    return " ".join(paragraph.children[0].content.split())


def _items(of: SyntaxTreeNode) -> list[str]:
    for item in of.children:
        assert [child.type for child in item.children] == ["paragraph"], item.map
    return [_text(item.children[0]) for item in of.children]

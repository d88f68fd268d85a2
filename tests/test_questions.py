"""The questions of each chapter: one right answer, a reason against each other, true numbers."""

import ast
import re
from statistics import mean

import nbformat
import pytest

from tests.questions import CHAPTERS, ROOT, questions

# the number, in bold, and the expression that gives it
NUMBER = re.compile(r"\*\*(?P<number>[\d.]+)\*\*, that is `(?P<code>[^`]+)`: .{15,}")
MISTAKE = re.compile(r"\*\*(?P<number>[\d.]+):\*\* .{15,}")


def imported(chapter: str, code: str) -> dict:
    """What the chapter's first cell imports, as far as the expression names it."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    kinds = ast.Import | ast.ImportFrom
    lines = [line for line in ast.parse(first).body if isinstance(line, kinds)]
    for line in lines:
        line.names = [each for each in line.names if (each.asname or each.name) in names]
    space = {}
    wanted = ast.Module([line for line in lines if line.names], type_ignores=[])
    exec(compile(wanted, chapter, "exec"), space)
    return space


def as_written(value: float, number: str) -> bool:
    """Whether the number is the value, rounded to the digits that are written."""
    digits = len(number.partition(".")[2])
    return abs(value - float(number)) < 0.5000001 * 10**-digits


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_asks_three_or_four_questions_and_one_for_a_number(chapter):
    asked = questions(chapter)
    assert len(asked) in (3, 4)
    for number, question in enumerate(asked, start=1):
        assert question.text.startswith(f"**Question {number}.** ")
        assert "?" in question.text
    assert [bool(question.choices) for question in asked].count(False) == 1


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_one_choice_is_right_and_each_says_why(chapter):
    for question in questions(chapter):
        if not question.choices:
            continue
        assert len(question.choices) == len(set(question.choices)) in (3, 4)
        assert len(question.answers) == len(question.choices)
        kinds = [re.match(r"(\*\*Right:\*\*|No:) .{15,}", answer) for answer in question.answers]
        assert all(kinds), question
        assert [kind[1] for kind in kinds].count("**Right:**") == 1, question


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_number_is_what_its_expression_gives_and_no_mistake_equals_it(chapter):
    for question in questions(chapter):
        if question.choices:
            continue
        right = NUMBER.fullmatch(question.answers[0])
        assert right, question
        value = eval(right["code"], imported(chapter, right["code"]))
        assert as_written(value, right["number"]), f"{right['code']} is {value}"
        mistakes = [MISTAKE.fullmatch(answer) for answer in question.answers[1:]]
        assert len(mistakes) >= 2, question
        assert all(mistakes), question
        assert not [m for m in mistakes if as_written(float(m["number"]), right["number"])]


def test_neither_place_nor_length_gives_the_right_answer_away():
    """Whoever always takes one place, or the longest choice, is hardly better than chance."""
    asked = [q for chapter in CHAPTERS for q in questions(chapter) if q.choices]
    right = [[answer[:2] for answer in q.answers].index("**") for q in asked]
    for place in range(3):
        assert 0.2 < mean(each == place for each in right) < 0.5
    longest = [max(range(len(q.choices)), key=lambda i: len(q.choices[i])) for q in asked]
    assert mean(a == b for a, b in zip(right, longest, strict=True)) < 0.45

"""The tables of a configuration's fields: all of them, once, with what they are without a word."""

import docutils.core
import pytest
from bs4 import BeautifulSoup
from pydantic import Field

from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.selection.config import SelectConfig
from stabn.training.config import RunConfig, Strict
from stabn.training.eval_config import EvalConfig
from tools import fields


class Small(Strict):
    """Two fields in a group, one before it."""

    name: str = Field(description="of *what* | `whom`")

    # the step
    rates: tuple[float, float] = Field((0.1, 0.2), description="two")
    limit: float | None = Field(None, description="one, or none")


def test_each_field_is_a_row_under_its_group():
    html = docutils.core.publish_string("\n".join(fields.tables(Small)), writer_name="html5")
    tables = BeautifulSoup(html, "html.parser")("table")
    assert [table.caption and table.caption.get_text() for table in tables] == [None, "The step"]
    rows = [[cell.get_text().strip() for cell in row("td")] for t in tables for row in t("tr")]
    assert [row for row in rows if row] == [
        ["name", "needed", "of *what* | whom"],
        ["rates", "[0.1, 0.2]", "two"],
        ["limit", "null", "one, or none"],
    ]


@pytest.mark.parametrize("cls", [RunConfig, EvalConfig, SelectConfig, FinetuneConfig])
def test_no_field_is_left_out_and_none_comes_twice(cls):
    names = [name for group in fields.groups(cls).values() for name in group]
    assert names == list(cls.model_fields)


def test_the_fields_of_a_run_are_grouped():
    assert list(fields.groups(RunConfig)) == [
        "the run",
        "data",
        "model",
        "clip",
        "optimisation",
        "work",
    ]

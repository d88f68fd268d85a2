"""What processes find is told together, whoever found it."""

import sys

import pytest

from stabn.training.preflight.findings import Findings, PreflightError
from stabn.training.process import joined
from tests.side_by_side import side_by_side


def find() -> None:
    with joined() as me:
        found = Findings(me)
        found.fault("data", "the list is not there")
        if me.rank == 1:
            found.fault("memory", "is short on the second one")
        try:
            found.settle()
        except PreflightError as error:
            sys.exit(f"error: {error}")


@pytest.mark.slow(2)
def test_a_fault_that_one_process_alone_finds_is_told_with_the_others():
    first, second = side_by_side(2, find)
    assert (first.status, second.status) == (1, 1)
    told = first.said[first.said.index("error: ") :]
    assert "2 things are in the run's way" in told
    assert told.count("data: the list is not there") == 1
    assert "memory: is short on the second one" in told

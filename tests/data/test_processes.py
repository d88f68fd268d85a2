"""Work on several cores is the work done in turn; a process that dies is an error, not a wait."""

import os
import signal

import pytest

from stabn.data.processes import in_processes


def square(x: int) -> tuple[int, int]:
    return x * x, os.getpid()


def die_at_seven(x: int) -> int:
    if x == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_things(jobs):
    results = list(in_processes(square, range(20), jobs, "squaring", "number"))
    assert [value for value, _ in results] == [x * x for x in range(20)]
    assert (os.getpid() in {process for _, process in results}) == (jobs == 1)


def test_a_process_that_is_killed_ends_the_work():
    with pytest.raises(ChildProcessError, match=r"killed while counting.*ask for fewer jobs"):
        list(in_processes(die_at_seven, range(20), 2, "counting", "number"))


def test_what_the_work_raises_is_raised():
    with pytest.raises(TypeError):
        list(in_processes(square, ["x"], 2, "squaring", "number"))

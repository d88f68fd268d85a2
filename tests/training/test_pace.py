"""Long work says how far it is, short work says nothing."""

import pytest

from stabn.training import pace
from stabn.training.pace import RECENT, Pace, duration, paced


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def test_a_line_a_minute_with_what_is_left(clock, caplog):
    caplog.set_level("INFO")
    seen = []
    for item in paced("abcdefgh", 8, "videos scored", total=100):
        seen.append(item)
        clock[0] += 25
    assert seen == list("abcdefgh")
    # after 75 s and 150 s: three of eight batches, then six
    assert caplog.messages == [
        "videos scored: 37 of 100, about 2.1 minutes left",
        "videos scored: 75 of 100, about 50 seconds left",
    ]


def test_what_is_over_sooner_says_nothing(clock, caplog):
    caplog.set_level("INFO")
    for _ in paced(range(59), 59, "videos scored"):
        clock[0] += 1
    assert caplog.messages == []


def test_a_duration_in_the_unit_that_a_reader_would_choose():
    assert duration(12.3) == "12 seconds"
    assert duration(0.9) == "1 second"
    assert duration(600) == "10.0 minutes"
    assert duration(7200) == "2.0 hours"


def test_what_is_left_of_a_training():
    pace = Pace()
    pace.stepped(10, 20.0)
    assert pace.left(100, 0) == "3.3 minutes"
    assert pace.left(100, 1) == "3.3 minutes and 1 evaluation"
    assert pace.left(0, 3) == "0 seconds and 3 evaluations"
    pace.evaluation = 30.0
    assert pace.left(100, 3) == "4.8 minutes"  # 100 · 2 s + 3 · 30 s


def test_a_training_that_slows_down_is_believed_after_a_while():
    pace = Pace(evaluation=10.0)
    for seconds in [1.0] * RECENT + [3.0] * RECENT:
        pace.stepped(5, seconds)
    assert pace.left(50, 2) == "50 seconds"  # 10 · 3 s + 2 · 10 s

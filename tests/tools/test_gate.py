"""Who may run: the most urgent first, as many as the cores and the memory bear."""

import pytest

from tools.gate import Cost, Gate, Slot

GIB = 2**30


def slot(name: str, urgency: float = 1, *, gib: float = 1, threads: int | None = 1) -> Slot:
    return Slot(name, urgency, Cost(10, int(gib * GIB), threads))


def queued(gate: Gate, *slots: Slot) -> list[str]:
    """Who of them is inside after all have queued."""
    for one in slots:
        gate.join(one)
    gate.admit()
    return inside(*slots)


def inside(*slots: Slot) -> list[str]:
    return [one.name for one in slots if one.threads]


def test_nobody_is_let_in_before_all_who_are_ready_have_come():
    gate, early, urgent = Gate(1, lambda: 8 * GIB), slot("early"), slot("urgent", 9)
    gate.join(early)
    assert not early.answered.is_set()
    assert queued(gate, urgent) == ["urgent"]
    assert not early.answered.is_set()


def test_one_core_works_on_one_step_at_a_time_the_most_urgent_first():
    gate = Gate(1, lambda: 8 * GIB)
    slots = [slot("b", 2), slot("c", 1), slot("a", 3)]
    queued(gate, *slots)
    order = []
    while waiting := [one for one in slots if one.threads and one.name not in order]:
        (now,) = waiting
        order.append(now.name)
        gate.leave(now)
        gate.admit()
    assert order == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("cores", "shares"),
    [
        (2, {"a": 1, "b": 1, "c": 0}),
        (3, {"a": 1, "b": 1, "c": 1}),
        (8, {"a": 4, "b": 3, "c": 1}),  # what is left over goes to the most urgent, up to its most
        (64, {"a": 4, "b": 4, "c": 4}),
    ],
)
def test_everybody_has_a_thread_before_anybody_has_two(cores, shares):
    gate = Gate(cores, lambda: 64 * GIB)
    slots = [slot(name, urgency, threads=4) for name, urgency in (("a", 3), ("b", 2), ("c", 1))]
    queued(gate, *slots)
    assert {one.name: one.threads for one in slots} == shares


def test_a_step_that_takes_every_core_runs_alone():
    gate = Gate(4, lambda: 8 * GIB)
    wide, other, later = slot("wide", 2, threads=None), slot("other", 3), slot("later", 1)
    assert queued(gate, other) == ["other"]
    assert queued(gate, wide, later) == []  # and nobody overtakes it meanwhile
    gate.leave(other)
    gate.admit()
    assert (wide.threads, later.threads) == (4, 0)
    gate.leave(wide)
    gate.admit()
    assert later.threads == 1


def test_no_more_side_by_side_than_fit_into_4_gib():
    """What the others will still take is counted as taken."""
    free = 4 * GIB
    gate = Gate(8, lambda: free)
    slots = [slot(str(i), 9 - i, gib=1.5) for i in range(3)]
    assert queued(gate, *slots) == ["0", "1"]
    free -= int(2.9 * GIB)  # they now hold nearly all that was expected of them
    gate.measured(slots[0], int(1.5 * GIB))
    gate.measured(slots[1], int(1.4 * GIB))
    assert inside(*slots) == ["0", "1"]
    assert gate.peak == int(1.5 * GIB) + int(1.4 * GIB)
    free += int(1.5 * GIB)
    gate.leave(slots[0])
    gate.admit()
    assert inside(slots[2]) == ["2"]


def test_memory_that_becomes_free_elsewhere_lets_the_next_one_in():
    free = 1 * GIB
    gate, first, second = Gate(2, lambda: free), slot("first", 2), slot("second", 1)
    assert queued(gate, first, second) == ["first"]
    free = 3 * GIB
    gate.measured(first, GIB // 2)
    assert inside(second) == ["second"]


def test_alone_a_step_runs_however_little_there_is():
    assert queued(Gate(2, lambda: 0), slot("huge", gib=100)) == ["huge"]


def test_a_closed_gate_answers_those_who_wait_with_no_thread():
    gate, first, second = Gate(1, lambda: 8 * GIB), slot("first", 2), slot("second", 1)
    queued(gate, first, second)
    gate.close()
    assert second.answered.is_set()
    assert second.threads == 0
    gate.leave(first)
    gate.admit()
    assert second.threads == 0

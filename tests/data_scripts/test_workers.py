"""A worker that hangs, crashes or is killed costs its task, and no other."""

import psutil
import pytest
from tasks import do
from workers import Lost, in_workers

pytestmark = pytest.mark.slow(8)


def children() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True) if "spawn_main" in _line(p)}


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_task_is_answered_once(jobs):
    tasks = [f"task {k}" for k in range(20)]
    assert dict(in_workers(do, tasks, jobs, 60)) == {task: task.upper() for task in tasks}
    assert not children()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_lost_worker_costs_its_own_task(jobs):
    tasks = ["a", "crash", "b", "hang", "c", "kill", "d"]
    results = dict(in_workers(do, tasks, jobs, 3))
    lost = {task: results.pop(task) for task in ("crash", "hang", "kill")}
    assert results == {"a": "A", "b": "B", "c": "C", "d": "D"}
    assert all(isinstance(result, Lost) for result in lost.values())
    assert lost == {
        "crash": "worker lost: the decoder crashed (SIGSEGV)",
        "hang": "worker lost: no answer within 3 s",
        "kill": "worker lost: killed from outside (SIGKILL; out of memory?)",
    }
    assert not children()


def test_a_mistake_of_ours_is_no_property_of_the_video():
    with pytest.raises(ValueError, match="a mistake of ours"):
        list(in_workers(do, ["a", "raise"], 1, 60))
    with pytest.raises(RuntimeError, match="status 3 at exit"):
        list(in_workers(do, ["exit"], 1, 60))
    assert not children()


def test_whoever_stops_listening_leaves_no_worker_behind():
    results = in_workers(do, ["a", "hang", "b"], 2, 600)
    next(results)
    results.close()
    assert not children()


def test_nothing_to_do():
    assert list(in_workers(do, [], 4, 60)) == []

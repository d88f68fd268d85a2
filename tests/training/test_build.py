"""How many processes read clips where nobody says so."""

import os

import pytest

from stabn.training.build import MOST_WORKERS, worker_count


@pytest.mark.parametrize(
    ("cores", "task", "processes", "workers"),
    [
        (1, None, 1, 1),
        (2, None, 1, 1),
        (8, None, 1, 7),
        (8, None, 2, 3),
        (8, None, 8, 1),
        (256, None, 8, MOST_WORKERS),
        (256, 64, 8, 7),  # of a Slurm task, whose cores alone count
        (8, 64, 1, 7),  # a task that was promised more than there is
    ],
)
def test_a_process_leaves_one_core_of_its_share_to_itself(
    tiny, monkeypatch, cores, task, processes, workers
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    if task:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", str(task))
    assert worker_count(tiny(workers=None)) == workers
    assert worker_count(tiny(workers=0)) == 0

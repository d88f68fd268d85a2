"""What processes find is told together, whoever found it."""

import pytest

from stabn.training.cluster.launch import LaunchError, LaunchOptions, launch
from stabn.training.preflight.findings import counted

WORKER = """
from stabn.training.preflight.findings import Findings, PreflightError
from stabn.training.process import joined

with joined() as me:
    found = Findings(me)
    found.fault("data", "the list is not there")
    if me.rank == 1:
        found.fault("memory", "is short on the second one")
    try:
        found.settle()
    except PreflightError as error:
        raise SystemExit(f"error: {error}")
"""


@pytest.mark.slow(5)
def test_a_fault_that_one_process_alone_finds_is_told_with_the_others(tmp_path, monkeypatch):
    (tmp_path / "finding.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LaunchError) as raised:
        launch("finding", [], LaunchOptions(nproc_per_node=2))
    told = str(raised.value)
    assert "2 things are in the run's way" in told
    assert told.count("data: the list is not there") == 1
    assert "memory: is short on the second one" in told


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [(0, "video", "0 videos"), (1, "process", "1 process"), (2, "process", "2 processes")],
)
def test_counted(count, noun, said):
    assert counted(count, noun) == said

"""How long a process may take to end is what Slurm says, where there is one to ask."""

import pytest

from stabn.training.cluster.notice import notice
from stabn.training.ending import PATIENCE, PATIENCE_NAMED


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A function that stands a ``scontrol`` in for a cluster's; it prints such a line."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def say(line: str) -> None:
        path = tmp_path / "scontrol"
        path.write_text(f"#!/bin/sh\n[ \"$*\" = 'show config' ] && echo '{line}'\n")
        path.chmod(0o755)

    return say


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("KillWait                = 120 sec", 120),
        ("KillWait                = 5 sec", PATIENCE),
        ("KillOnBadExit           = 0", PATIENCE),
    ],
)
def test_it_is_kill_wait_if_that_is_longer(slurm, line, seconds):
    slurm(line)
    assert notice() == seconds


def test_it_is_the_job_scripts_own_notice_if_that_is_longer(slurm, monkeypatch):
    slurm("KillWait                = 60 sec")
    monkeypatch.setenv(PATIENCE_NAMED, "120")
    assert notice() == 120


def test_outside_a_job_nobody_is_asked(slurm, monkeypatch):
    slurm("KillWait                = 120 sec")
    monkeypatch.delenv("SLURM_JOB_ID")
    assert notice() == PATIENCE


def test_where_there_is_no_scontrol_it_is_torchruns(slurm, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert notice() == PATIENCE

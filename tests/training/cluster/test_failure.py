"""The cause of a failure, found in what processes and torchrun print."""

import re

import pytest

from stabn.training.cluster.failure import REPEATED, LastWords
from stabn.training.process import PREEMPTED

WHERE = "E1129 18:04:20.500000 77 venv/torch/distributed/elastic/multiprocessing/api.py:984]"

# what torchrun prints after its processes, shortened
ACCOUNT = f"""\
W1129 18:04:20.1 77 venv/torch/distributed/elastic/multiprocessing/api.py:1010] Sending process 80 \
closing signal SIGTERM
{WHERE} failed (exitcode: 7) local_rank: 1 (pid: 81) of binary: /usr/bin/python
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
Root Cause (first observed failure):
  rank      : 1 (local_rank: 1)
"""
TRACEBACK = """\
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    work()
"""


def heard(text: str) -> tuple[LastWords, list[str]]:
    """What is known after these lines, and those that readers see."""
    said = LastWords()
    return said, [line for line in text.splitlines(keepends=True) if said.hear(line)]


def test_torchruns_account_is_cut_down_to_rank_and_exit_status():
    said, seen = heard(f"step 1\nno memory left\n{ACCOUNT}")
    assert seen == [
        "step 1\n",
        "no memory left\n",
        f"{WHERE} failed (exitcode: 7) local_rank: 1 (pid: 81) of binary: /usr/bin/python\n",
    ]
    assert said.error() == "no memory left"
    assert said.told(1) == "process 1: exit status 7; the last lines:\nstep 1\nno memory left\n"
    assert said.killed("torchrun", 1) == ""


def test_a_pre_emption_is_seen_behind_torchruns_warnings():
    text = f"{WHERE} Received Signals.SIGTERM death signal, shutting down workers\n"
    said, seen = heard(f"{text}[0] {PREEMPTED}\n{TRACEBACK}SignalException: got signal: 15\n")
    assert seen == [f"[0] {PREEMPTED}\n"]
    assert said.preempted
    assert said.killed("torchrun", 1) == "torchrun was killed by SIGTERM"


@pytest.mark.parametrize(
    ("printed", "cause"),
    [
        # an error that a person can put right, with its list; the other rank's is no news
        (
            "error: another process cannot go on; its own message says why\n"
            "error: 2 things are in the run's way:\n  data: a\n  disk: b\nsome more\n",
            "2 things are in the run's way:\n  data: a\n  disk: b",
        ),
        (f"error: another process cannot go on\n{TRACEBACK}ValueError: z\nbye\n", "ValueError: z"),
        ("error: another process cannot go on\n", "error: another process cannot go on"),
        # the first rank's exception comes before those that it caused elsewhere
        (
            f"{TRACEBACK}ValueError: shapes differ\n{TRACEBACK}RuntimeError: closed by peer\n",
            "ValueError: shapes differ",
        ),
        (
            f"{TRACEBACK}KeyError: 3\n\nDuring handling of the above exception, another "
            f"exception occurred:\n\n{TRACEBACK}OSError: no file\n{TRACEBACK}RuntimeError: x\n",
            "OSError: no file",
        ),
        (
            "".join(f"[rank1]: {line}\n" for line in f"{TRACEBACK}ValueError: y".splitlines()),
            "ValueError: y",
        ),
        ("step 1\nlast words \n\n", "last words"),
        ("", "not a word was said"),
    ],
)
def test_the_cause_is_what_was_said_of_it_first(printed, cause):
    assert heard(printed + ACCOUNT)[0].error() == cause


@pytest.mark.parametrize(
    ("status", "who"),
    [
        (-9, r"process 0 was killed by SIGKILL \(for want of memory\?.*\)"),
        (-11, "process 0 was killed by SIGSEGV"),
        (1, ""),
    ],
)
def test_a_signal_is_named(status, who):
    assert re.fullmatch(who, heard("step 1\n")[0].killed("process 0", status))


def test_an_error_that_a_person_can_put_right_is_told_once():
    said, _ = heard(f"step 1\nerror: no disk\n{ACCOUNT}")
    assert (said.error(), said.told(1)) == ("no disk", "process 1: exit status 7")


def test_few_lines_are_repeated():
    said, _ = heard("".join(f"line {i}\n" for i in range(1000)))
    assert said.told(1).splitlines() == [
        "exit status 1; the last lines:",
        *(f"line {i}" for i in range(1000 - REPEATED, 1000)),
    ]

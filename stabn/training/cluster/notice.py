"""How long a machine waits between SIGTERM and SIGKILL, where that can be known."""

import os
import re
import subprocess

from stabn.training.ending import patience

KILL_WAIT = re.compile(r"^KillWait\s*=\s*(\d+) sec", re.MULTILINE)


def notice() -> int:
    """Seconds: within a job of Slurm's its ``KillWait``, if that is longer than :func:`patience`.

    Where it is shorter nobody needs us: Slurm's own SIGKILL comes in time.
    """
    if "SLURM_JOB_ID" not in os.environ:
        return patience()
    command = ["scontrol", "show", "config"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""  # no Slurm in this container, or one that does not answer
    found = KILL_WAIT.search(said)
    return max(patience(), int(found[1]) if found else 0)

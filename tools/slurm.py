"""A Slurm for the tests of the job script: the one that is here, or one that can be fetched."""

import os
import shutil
import sys
from pathlib import Path

from tools.packages import fetch

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")
PACKAGES = ("slurm-wlm", "munge")
HINT = "Slurm is not installed: Debian or Ubuntu: sudo apt-get install slurm-wlm munge"
PATH = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin"


def missing() -> str:
    """Why the tests cannot start a Slurm of their own here; "" where they can."""
    if Path("/etc/slurm/slurm.conf").exists() or os.environ.get("SLURM_CONF"):
        return "this machine belongs to a Slurm cluster, which the tests leave alone"
    return "" if all(shutil.which(name, path=PATH) for name in PROGRAMS) else HINT


def main() -> int:
    """For ``make test``: never fails, the tests say what they leave out."""
    if missing() == HINT:
        print("▶ no Slurm here: fetching one for the tests of the job script", flush=True)
        fetch(*PACKAGES)  # no service of theirs is needed
    print(missing() or "Slurm for the tests of the job script: found", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

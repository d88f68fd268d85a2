"""A Slurm of our own on one machine: two nodes, which are two addresses of it."""

import getpass
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

from tests.training.cluster import launched
from tools.slurm import PATH

until = partial(launched.until, every=0.5)  # a look at Slurm starts a process

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "notebooks" / "launch" / "slurm.sh"

CONF = """
ClusterName=stabn
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=120
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
MailProg=/bin/true
NodeName=127.0.0.[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]},{ports[2]}] CPUs=2
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Cluster:
    """Its daemons, run below ``folder``, and its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)  # munged has a user of its own
        self.daemons: list[subprocess.Popen] = []
        conf = folder / "slurm.conf"
        self.environment = os.environ | {"SLURM_CONF": str(conf), "PATH": PATH}
        conf.write_text(
            CONF.format(
                folder=folder, host=socket.gethostname(), user=getpass.getuser(), ports=_free(3)
            )
        )

    def start(self) -> None:
        """Start them, and wait until both nodes are idle."""
        munge = self.folder / "munge"
        for name in ("munge", "state", "spool-127.0.0.1", "spool-127.0.0.2"):
            (self.folder / name).mkdir()
        munge.chmod(0o711)
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        if root := os.geteuid() == 0:  # munged would rather not be root
            for path in (munge, key):
                shutil.chown(path, "munge", "munge")
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
        options = [f"--{name}={munge / file}" for name, file in files.items()]
        as_munge = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"] if root else []
        self._daemon("munged", *as_munge, "munged", "--foreground", *options)
        until((munge / "socket").exists, "munged", 60)
        self._daemon("slurmctld", "slurmctld", "-i", "-D")
        for node in ("127.0.0.1", "127.0.0.2"):
            self._daemon(f"slurmd-{node}", "slurmd", "-D", "-N", node)
        states = ("sinfo", "-h", "-N", "-o", "%T")
        until(lambda: self.run(*states).split() == ["idle", "idle"], "the nodes", 120)

    def stop(self) -> None:
        """End every job and daemon."""
        if len(self.daemons) > 1:
            self.run("scancel", "--signal=KILL", "--full", "--user", getpass.getuser())
            self.run("scancel", "--user", getpass.getuser())
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def run(self, *command: str) -> str:
        """What a command prints; nothing where it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def submit(self, *arguments: str, output: Path) -> "Job":
        """The job script with sbatch's options and its own arguments, in one list."""
        split = next(i for i, a in enumerate(arguments) if not a.startswith("--"))
        options = [f"--output={output}", f"--chdir={ROOT}", *arguments[:split]]
        told = self.run("sbatch", *options, str(SCRIPT), *arguments[split:])
        return Job(self, re.fullmatch(r"Submitted batch job (\d+)", told)[1], output)

    def _daemon(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("w") as log:
            self.daemons.append(
                subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            )


class Job:
    """A submitted job."""

    def __init__(self, cluster: Cluster, number: str, output: Path) -> None:
        self.cluster, self.number, self.output = cluster, number, output

    def __getitem__(self, name: str) -> str:
        """One of the fields that ``scontrol show job`` prints."""
        shown = self.cluster.run("scontrol", "--oneliner", "show", "job", self.number)
        found = re.search(rf"\b{name}=(\S*)", shown)
        return found[1] if found else ""

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def until(self, words: str) -> None:
        """Wait until its output holds some words."""
        over = ("COMPLETED", "FAILED", "CANCELLED")
        until(lambda: words in self.said() or self["JobState"] in over, f"{words!r}")
        assert words in self.said(), self.story()

    def story(self) -> str:
        """What there is to say where a test fails."""
        logs = [path.read_text()[-3000:] for path in sorted(self.cluster.folder.glob("slurm*.log"))]
        return "\n".join(
            (self.said(), self.cluster.run("scontrol", "show", "job", self.number), *logs)
        )

    def becomes(self, *states: str) -> str:
        """Wait for one of some states."""
        until(lambda: self["JobState"] in states, f"{states}; it is {self['JobState']}")
        return self["JobState"]

    def minutes(self) -> int:
        """For how long it has been running, in full minutes."""
        *_, hours, minutes, _ = map(int, re.split("[-:]", self["RunTime"]))
        return 60 * hours + minutes

    def control(self, *command: str) -> None:
        """``scontrol`` on this job, again until it obeys: a job that is ending will not at once."""
        command = ("scontrol", *command)
        run = lambda: subprocess.run(command, env=self.cluster.environment, capture_output=True)  # noqa: E731
        until(lambda: run().returncode == 0, " ".join(command), 60)

    def starts_soon(self) -> None:
        """Start again in ten seconds, where Slurm waits for two minutes.

        At once would be too soon: a node takes no job that it has ended in this very second.
        """
        self.update("StartTime=now+10")

    def update(self, setting: str) -> None:
        self.control("update", f"JobId={self.number}", setting)


def _free(count: int) -> list[int]:
    """Ports that nothing uses."""
    sockets = [socket.create_server(("", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports

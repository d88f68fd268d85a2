"""The job script on a real Slurm: pre-empted a run goes on, failed it does not."""

import json
import tempfile
from pathlib import Path

import nbformat
import pytest

from stabn.training.checkpoint import read
from stabn.training.config import write_config
from stabn.training.process import PREEMPTED
from tests.training.cluster.launched import same
from tests.training.cluster.slurm import Cluster
from tools.slurm import missing

pytestmark = pytest.mark.slow(200)

TWO = ("-p", "nproc_per_node", "2")


@pytest.fixture(scope="module")
def cluster():
    if why := missing():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def submit(cluster, whole, tmp_path):
    """A function that submits the run, into a folder of its own."""
    config = whole.model_copy(update={"out_dir": str(tmp_path / "runs")})
    jobs = []

    def submit(*arguments: str, options: tuple[str, ...] = (), **values):
        changed = config.model_copy(update=values)
        write_config(changed, tmp_path / "run.yaml")
        given = ["--cpus-per-task=2", *options, "train", str(tmp_path / "run.yaml"), *arguments]
        jobs.append(cluster.submit(*given, output=tmp_path / "job.txt"))
        return changed, jobs[-1]

    yield submit
    for job in jobs:
        cluster.run("scancel", job.number)


def notebook_says(config, name: str = "notebook") -> str:
    return json.dumps(nbformat.read(config.folder / f"{name}.ipynb", 4))


def test_a_requeued_job_goes_on_where_it_was(submit, whole):
    config, job = submit(*TWO)
    job.until("step 4/120")
    job.control("requeue", job.number)
    job.becomes("PENDING")
    assert f"LaunchError: stabn train was {PREEMPTED}" in job.said()
    assert PREEMPTED in notebook_says(config)
    assert 4 <= read(config.folder / "last.pt")["progress"]["step"] < 120

    job.starts_soon()
    assert job.becomes("COMPLETED", "FAILED") == "COMPLETED", job.story()
    assert "taking up" in job.said()
    assert "step 120/120" in notebook_says(config)
    assert job["Restarts"] == "1"
    assert same(whole, config)


def test_at_the_end_of_its_time_it_requeues_itself_but_not_when_cancelled(submit):
    config, job = submit(options=("--time=60",), epochs=4000)
    job.until("step 4/")
    # less is left then than the two minutes' notice of the script; Slurm looks every 30 seconds
    job.update(f"TimeLimit={job.minutes() + 2}")
    job.until("was pre-empted")
    job.becomes("PENDING")
    assert job["Restarts"] == "1"
    stored = read(config.folder / "last.pt")["progress"]["step"]
    assert stored >= 4

    job.update("TimeLimit=60")
    job.starts_soon()
    job.until(f"taking up {config.folder} after {stored} steps")
    job.until(f"step {stored + 2}/")
    job.cluster.run("scancel", job.number)
    assert job.becomes("CANCELLED", "PENDING") == "CANCELLED"
    assert job["Restarts"] == "1"


def test_a_run_that_fails_is_not_started_again(submit):
    config, job = submit("-p", "batch_sise", "4")
    assert job.becomes("COMPLETED", "FAILED") == "FAILED"
    assert "unknown name 'batch_sise' (did you mean 'batch_size'?)" in job.said()
    assert job["Restarts"] == "0"
    assert "batch_sise" in notebook_says(config)


def test_two_nodes_equal_one(submit, whole):
    # on the CPU the order of a sum depends on the threads of a process: one, as in the other run
    config, job = submit(options=("--nodes=2", "--export=ALL,OMP_NUM_THREADS=1"))
    assert job.becomes("COMPLETED", "FAILED") == "COMPLETED", job.story()
    # on one machine either may be the host, whose notebook has the log
    logs = [notebook_says(config, name) for name in ("notebook", "notebook-node1")]
    assert sorted("[0] epoch 40  step 120/120" in log for log in logs) == [False, True]
    assert same(whole, config)

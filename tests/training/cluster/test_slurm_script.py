"""The job script without Slurm: each mistake is answered in a sentence, and what it hands on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[3] / "notebooks" / "launch"

SRUN = """#!/bin/bash
echo "cores $SRUN_CPUS_PER_TASK" "$@"
"""


@pytest.fixture
def root(tmp_path):
    """A repository's root with the launch notebooks, and a Slurm that only says what it is told."""
    (tmp_path / "notebooks/launch").mkdir(parents=True)
    for path in {*LAUNCH.iterdir()} - {LAUNCH / "setup.sh"}:
        (tmp_path / "notebooks/launch" / path.name).symlink_to(path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    for name, text in {"srun": SRUN, "scontrol": "#!/bin/bash\necho node7\necho node8\n"}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


JOB = {"SLURM_JOB_ID": "12345", "SLURM_JOB_NODELIST": "node[7-8]", "SLURM_NNODES": "2"}
JOB |= {"SLURM_GPUS_ON_NODE": "8", "SLURM_CPUS_ON_NODE": "64"}


def submit(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run the script in a folder; the interpreter finds its packages beside its real self."""
    given = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", **variables}
    if paths := [path for path in sys.path if path]:
        given["PYTHONPATH"] = os.pathsep.join(paths)
    command = ["bash", str(LAUNCH / "slurm.sh"), *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")} | given
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give a notebook and its parameter file, or - for none, as in: sbatch"),
        (["train"], "give a notebook and its parameter file"),
        (["trian", "mini_st_abn"], "there is no notebook 'trian': give train, finetune, select"),
        (["train", "mini_st_abm"], "there is no file notebooks/launch/mini_st_abm.yaml: give a"),
        (["train", "-"], "name is given neither in - nor by -p name VALUE"),
        (["evaluate", "-", "-p", "split", "test"], "run is given neither in -"),
        (["evaluate", "-", "-p", "run", "no/run"], "there is no run no/run: give -p run FOLDER"),
        (["train", "bad.yaml"], "bad.yaml must hold lines of 'name: value'"),
        (["train", "torn.yaml"], "torn.yaml is not YAML"),
    ],
)
def test_a_mistake_is_answered_in_a_sentence(root, arguments, said):
    (root / "bad.yaml").write_text("- a\n")
    (root / "torn.yaml").write_text("a: [\n")
    done = submit(root, *arguments, **JOB)
    assert done.returncode != 0
    assert done.stderr.startswith(f"slurm.sh: {said}")
    assert "Traceback" not in done.stderr
    assert not (root / "no").exists()


def test_another_folder_and_no_slurm_are_told(root):
    elsewhere = submit(root / "bin", "train", "mini_st_abn", **JOB)
    assert "has no notebooks/launch: submit from the repository's root" in elsewhere.stderr
    alone = submit(root, "train", "mini_st_abn")
    assert alone.stderr.startswith("slurm.sh: this is no Slurm job: give the script to sbatch")
    assert not (root / "runs").exists()


def test_an_environment_without_papermill_is_told(root):
    (root / "bin/python3").unlink()
    (root / "bin/python3").write_text(f'#!/bin/bash\nexec {sys.executable} -I -S "$@"\n')
    (root / "bin/python3").chmod(0o755)
    done = submit(root, "train", "mini_st_abn", **JOB)
    assert done.returncode == 1
    assert " has no yaml: pip install '.[launch]' there, or let notebooks/launch" in done.stderr


def test_what_each_node_is_told(root):
    """The folder is made, names stay text, cores and meeting point are handed on."""
    (root / "own.yaml").write_text("name: 007\nout_dir: some\n")
    done = submit(root, "train", "own.yaml", "-p", "seed", "3", **JOB)
    assert done.returncode == 0, done.stderr
    assert (root / "some/007").is_dir()
    told = done.stdout
    assert told.startswith("cores 64 bash -c")
    assert "python3 train some/007/notebook --no-progress-bar" in told
    assert "-f own.yaml -p nnodes 2 -p nproc_per_node 8" in told
    assert told.rstrip().endswith("-p rdzv_endpoint node7:22345 -p seed 3")
    done = submit(root, "train", "own.yaml", "-r", "name", "1e5", **JOB, SLURM_CPUS_PER_TASK="16")
    assert done.stdout.startswith("cores 16 bash")
    assert (root / "some/1e5").is_dir()


def test_a_notebook_that_looks_at_a_run_is_kept_in_its_folder(root):
    (root / "runs/mine").mkdir(parents=True)
    done = submit(root, "evaluate", "-", "-p", "run", "runs/mine", "-p", "split", "tuning", **JOB)
    assert done.returncode == 0, done.stderr
    assert "python3 evaluate runs/mine/evaluate --no-progress-bar" in done.stdout
    assert done.stdout.rstrip().endswith("-p run runs/mine -p split tuning")


def test_what_a_job_needs_before_python_is_sourced(root):
    (root / "notebooks/launch/setup.sh").write_text("echo module $IS_NOT_SET loaded\n")
    done = submit(root, "train", "mini_st_abn", **JOB)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("module loaded\ncores 64")

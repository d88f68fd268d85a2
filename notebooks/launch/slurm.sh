#!/bin/bash
# A launch notebook under Slurm, on one node or several. From the repository's root:
#
#   sbatch --nodes=2 --gpus-per-node=4 --cpus-per-task=32 --time=24:00:00 \
#       notebooks/launch/slurm.sh train ssv2_st_abn_r50_32 -p data_root /scratch/ssv2
#
# First the notebook (train, finetune, select, evaluate), then its parameter file (a name in this
# folder, a path, or - for none), then single parameters: -p name value. The repository, the data
# and out_dir must be visible on every node. One papermill runs on each, with a process per GPU,
# and the cores of --cpus-per-task are shared by their loaders.
#
# What a job needs before Python, modules or conda, goes into a setup.sh beside this file, which is
# yours: if it is there, it is sourced.
#
# Pre-empted, requeued, or at the end of its time, a training or fine-tuning is stored, and goes on
# from there when the job starts again; the other two begin again, and at the end of their time they
# end. What fails is not started again; its cause is in the job's output.
#SBATCH --ntasks-per-node=1
#SBATCH --requeue --open-mode=append
#SBATCH --signal=TERM@120
set -euo pipefail
# A step may take as long as the notice above, or Slurm's KillWait where that is longer.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-120}
stop() {
    echo "slurm.sh: $1" >&2
    exit 2
}
example="sbatch --nodes=1 --gpus-per-node=8 notebooks/launch/slurm.sh train ssv2_st_abn_r50_32"
[ $# -ge 2 ] || stop "give a notebook and its parameter file, or - for none, as in: $example"
notebook=$1 parameters=$2
shift 2
[ -f notebooks/launch/train.ipynb ] ||
    stop "$PWD has no notebooks/launch: submit from the repository's root, or with --chdir"
[ -f "notebooks/launch/$notebook.ipynb" ] ||
    stop "there is no notebook '$notebook': give train, finetune, select or evaluate"
given=(--no-progress-bar --stdout-file /dev/stdout)
if [ "$parameters" != - ]; then
    [ -f "$parameters" ] || parameters=notebooks/launch/$parameters.yaml
    [ -f "$parameters" ] || stop "there is no file $parameters: give a path, - for none, or one \
of $(basename -s .yaml notebooks/launch/*.yaml | paste -sd ' ')"
    given+=(-f "$parameters")
fi
if [ -f notebooks/launch/setup.sh ]; then
    set +u # conda's own scripts do not bear it
    . notebooks/launch/setup.sh
    set -u
fi
python=.venv/bin/python
[ -x "$python" ] || python=python3

# The run's folder, where the notebook is kept: the first node's under its plain name.
folder=$("$python" - "$notebook" "$parameters" "$@" <<'PYTHON'
import importlib.util, os, sys
notebook, path, *given = sys.argv[1:]
missing = [m for m in ("yaml", "papermill", "stabn") if importlib.util.find_spec(m) is None]
if missing:
    sys.exit(f"slurm.sh: {sys.executable} has no {missing[0]}: pip install '.[launch]' there, or "
             f"let notebooks/launch/setup.sh load an environment that has it")
import yaml
values = {}
if path != "-":
    with open(path, encoding="utf-8") as file:  # as text: here 007 is a name like any other
        try:
            values = yaml.load(file, yaml.BaseLoader)
        except yaml.YAMLError as error:
            sys.exit(f"slurm.sh: {path} is not YAML ({error})")
    if not isinstance(values, dict):
        sys.exit(f"slurm.sh: {path} must hold lines of 'name: value'")
flags = ("-p", "--parameters", "-r", "--parameters_raw")
values |= {n: v for flag, n, v in zip(given, given[1:], given[2:]) if flag in flags}
own = notebook in ("train", "finetune")  # they make a run; the others look at one
field = "name" if own else "run"
if not values.get(field):
    sys.exit(f"slurm.sh: {field} is given neither in {path} nor by -p {field} VALUE")
folder = os.path.join(values.get("out_dir", "runs"), values["name"]) if own else values["run"]
print(os.path.expanduser(folder))
PYTHON
)
[ -n "${SLURM_JOB_ID:-}" ] || stop "this is no Slurm job: give the script to sbatch, as in: $example"
if [ "$notebook" = train ] || [ "$notebook" = finetune ]; then
    mkdir -p "$folder"
    output=$folder/notebook
else
    [ -d "$folder" ] || stop "there is no run $folder: give -p run FOLDER, as in runs/mini_st_abn"
    output=$folder/$notebook
fi

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
first=${hosts%%$'\n'*}
given+=(-p nnodes "$SLURM_NNODES" -p nproc_per_node "${SLURM_GPUS_ON_NODE:-1}")
given+=(-p rdzv_endpoint "$first:$((20000 + SLURM_JOB_ID % 10000))")

# Slurm sends SIGTERM to every process at once. This script, papermill and the kernel are deaf to
# it: they live on while torchrun and its workers, which are not, store the run and end.
trap '' TERM
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}
status=0
srun bash -c '
    trap "" TERM
    python=$1 notebook=$2 output=$3
    shift 3
    if [ "$SLURM_NODEID" -gt 0 ]; then output=$output-node$SLURM_NODEID; fi
    rm -f "$output.ipynb"  # what an earlier start said
    exec "$python" -m papermill "notebooks/launch/$notebook.ipynb" "$output.ipynb" "$@"
' bash "$python" "$notebook" "$output" "${given[@]}" "$@" || status=$?

# Only the end of its time leaves a job running here: requeued or cancelled, it is "completing".
if [ "$status" -ne 0 ] && grep -qs 'was pre-empted (SIGTERM)' "$output.ipynb" &&
    [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"

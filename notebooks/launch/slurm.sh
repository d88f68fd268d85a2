#!/bin/bash
# A launch notebook under Slurm, on one node or several. From the repository's root:
#
#   sbatch --nodes=4 --gpus-per-node=8 --cpus-per-task=64 --time=24:00:00 \
#       notebooks/launch/slurm.sh train ssv2_st_abn_r50_32 -p data_root /scratch/ssv2
#
# First the notebook (train, finetune, select, evaluate), then its parameter file (a name in this
# folder, a path, or - for none), then single parameters: -p name value. The repository, the data
# and out_dir must be visible on every node. One papermill runs on each, with a process per GPU.
#
# Pre-empted, requeued, or at the end of its time, a training or fine-tuning is stored, and goes on
# from there when the job starts again; the other two begin again, and at the end of their time they
# end. What fails is not started again; its cause is in the job's output.
#SBATCH --ntasks-per-node=1
#SBATCH --requeue --open-mode=append
#SBATCH --signal=TERM@120
set -euo pipefail
notebook=$1 parameters=$2
shift 2
[ -f "$parameters" ] || parameters=notebooks/launch/$parameters.yaml
given=(--no-progress-bar --log-output)
[ "$parameters" = notebooks/launch/-.yaml ] || given+=(-f "$parameters")
python=.venv/bin/python
[ -x "$python" ] || python=python3

# The run's folder, where the notebook is kept: the first node's under its plain name.
folder=$("$python" - "$notebook" "$parameters" "$@" <<'PYTHON'
import os, pathlib, sys, yaml
notebook, path, *given = sys.argv[1:]
values = yaml.safe_load(pathlib.Path(path).read_text()) if pathlib.Path(path).exists() else {}
values |= dict(zip(given[1::3], given[2::3]))
own = notebook in ("train", "finetune")  # they make a run; the others look at one
place = f"{values.get('out_dir', 'runs')}/{values['name']}" if own else values["run"]
print(os.path.expanduser(place))
PYTHON
)
mkdir -p "$folder"
case $notebook in train | finetune) output=$folder/notebook ;; *) output=$folder/$notebook ;; esac

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
given+=(-p nnodes "$SLURM_NNODES" -p nproc_per_node "${SLURM_GPUS_ON_NODE:-1}")
given+=(-p rdzv_endpoint "$first:$((20000 + SLURM_JOB_ID % 10000))")

# Slurm sends SIGTERM to every process at once. This script, papermill and the kernel are deaf to
# it: they live on while torchrun and its workers, which are not, store the run and end.
trap '' TERM
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
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

"""From a tree like Something-Something v2 to a row of Table 1, by its own parameter file."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import verify
from lookalike import fill, write_known, write_lists

from stabn.models.resnet3d import ResNet3d
from stabn.training.journal import read_journal
from stabn.training.records import read_record

pytestmark = pytest.mark.slow(40)

LAUNCH = Path(__file__).parents[2] / "notebooks" / "launch"
SIZES = {
    "image_size": 32,
    "short_side": 32,
    "train_short_side": "[32, 40]",
    "num_frames": 2,
    "epochs": 1,
    "batch_size": 29,
    "workers": 1,
    "precision": "fp32",  # some machines compute bf16 wrongly where a map is one pixel wide
}


def imagenet_like(path: Path) -> Path:
    """A file in the form of torchvision's resnet50, with nothing learned in it."""
    state = ResNet3d("resnet50", 1000).state_dict()
    flat = {n: t.sum(2) if t.dim() == 5 else t for n, t in state.items()}
    torch.save(flat, path)
    return path


def test_a_row_of_table_1_by_its_own_file_of_parameters(clips, rows, tmp_path):
    """Only sizes are set, and where things lie; one video in a hundred is broken."""
    root = tmp_path / "ssv2"
    write_lists(root, 174, 31, 0)
    write_known(fill(root, clips, range(1, 206)), rows)
    (root / "videos" / "9.webm").write_bytes(b"")
    (root / "videos" / "180.webm").write_bytes(clips[0].read_bytes()[:300])
    assert verify.main(["--root", str(root), "--jobs", "1"]) == 1

    run = tmp_path / "ssv2_st_abn_r50_32"
    run.mkdir()
    given = {"data_root": root, "out_dir": tmp_path, **SIZES}
    given["weights"] = imagenet_like(tmp_path / "resnet50.pth")
    options = [word for name, value in given.items() for word in ("-p", name, str(value))]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "papermill", LAUNCH / "train.ipynb", run / "notebook.ipynb"),
            *("-f", LAUNCH / "ssv2_st_abn_r50_32.yaml", "-k", "python3", *options),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]

    told = (run / "train.log").read_text()
    assert "174 classes · train 174 · validation 31 videos" in told
    assert "2 of 205 videos are not ok in" in told
    assert "started from" in told
    assert "resnet50.pth, 2-D kernels inflated along time" in told

    failures = {line["video_id"] for line in read_journal(run / "decode_failures.jsonl")}
    assert failures == {"9"}
    record = read_record(run / "record.json")
    figures = record["results"]["validation"]
    assert (figures["videos"], figures["failed"]) == (30, 1)
    assert "180.webm" in figures["failed_videos"]["180"]
    assert (record["classes"], record["steps"]) == (174, 6)

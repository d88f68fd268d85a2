"""``stabn export RUN --onnx OUT``: a finished run's network as ONNX files, and its card.

OUT is a folder that holds ``network.onnx``; of a network with attention also ``extractor.onnx``
and ``answer.onnx``, its two parts, and ``model_card.json``. It appears whole or not at all.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from stabn import given
from stabn.errors import UserError
from stabn.export.card import card
from stabn.export.check import ExportError, differences
from stabn.export.graphs import graphs
from stabn.tables.promote import unfinished
from stabn.training.checkpoint import Trained, load
from stabn.training.files import file_hash, no_empty_folders
from stabn.training.records import read_record

CARD = "model_card.json"


def finished_run(run: Path, checkpoint: str) -> tuple[Trained, dict[str, Any]]:
    """A finished run's network, and where it comes from: its checkpoint and the run's record.

    Raises:
        CheckpointError: no such checkpoint, or one that cannot be used.
        RecordError, ExportError: no record, a damaged one, or one of a run that has not finished;
            or a network that reads features and no clips.
    """
    path = run / f"{checkpoint}.pt"
    trained = load(path)
    if encoder := trained.config.encoder:
        raise ExportError(f"{path}: reads features of {encoder}; give a network that reads clips")
    record = read_record(run / "record.json")
    if not record:
        raise ExportError(f"{run}/record.json: no such record; give a run's folder, with all in it")
    if why := unfinished(run, record):
        raise ExportError(f"{run}: the run {why}; start it again, it resumes")
    return trained, {"checkpoint": str(path), "sha256": file_hash(path), "record": record}


def export(trained: Trained, out: Path, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Write a network's ONNX files and its card into a new folder.

    Args:
        trained: the network.
        out: the folder; its parents are made where they are missing.
        origin: what the card says of where the network comes from.

    Returns:
        The card.

    Raises:
        ExportError: ``out`` exists; or onnxruntime gives other numbers than PyTorch.
        OSError: it cannot be written; nothing is left of it.
    """
    check_free(out)
    half = out.with_name(f".{out.name}.{os.getpid()}.part")
    with no_empty_folders(out.parent):
        half.mkdir(parents=True)  # first: a place that refuses is told before anything is computed
        try:
            parts = graphs(trained)
            told = card(trained, parts, differences(trained, parts), origin)
            for name, part in parts.items():
                (half / name).write_bytes(part.SerializeToString())
            with open(half / CARD, "w", encoding="utf-8") as file:
                json.dump(told, file, indent=1, ensure_ascii=False)
                file.write("\n")
            half.rename(out)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return told


def check_free(out: Path) -> None:
    """Whether nothing would be overwritten.

    Raises:
        ExportError: ``out`` exists.
    """
    if out.exists():
        raise ExportError(f"{out}: exists already; choose another --onnx, or delete it first")


@click.command(help="Write a trained network as ONNX files, which other programs run.")
@click.argument("run", type=given.path)
@click.option("--onnx", "out", required=True, type=given.path, help="the new folder for the files")
@click.option("--checkpoint", default="best", help="best | last | an arm of a fine-tuning")
def command(run: Path, out: Path, checkpoint: str) -> None:
    """RUN is the folder of a finished run, as in runs/mini_st_abn."""
    check_free(out)
    trained, origin = finished_run(run, checkpoint)
    try:
        told = export(trained, out, origin)
    except OSError as error:
        raise UserError(
            f"{out}: cannot be written ({error.strerror}); choose another --onnx"
        ) from error
    for name, file in told["files"].items():
        difference = file["largest_difference_from_pytorch"]
        click.echo(
            f"{out / name}: {file['bytes'] / 1000:.0f} kB; {', '.join(file['reads'])} → "
            f"{', '.join(file['gives'])}; at most {difference:.1e} from PyTorch"
        )
    click.echo(f"{out / CARD}: classes, clip, sampling, files, origin")

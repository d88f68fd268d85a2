"""Predictions → figures → the run's record.

``stabn evaluate runs/mini_st_abn``, alone or under torchrun: each video is
scored once whatever the number of processes, and the figures are those of one process.
"""

import logging
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from stabn.data.mini.truth import has_truth
from stabn.metrics import Score, rank_correlation, topk_accuracy
from stabn.training.build import class_texts, eval_loader
from stabn.training.checkpoint import Trained, load
from stabn.training.config import EvalConfig, RunConfig, Strict, parse, read_yaml
from stabn.training.files import replacing
from stabn.training.predict import predict
from stabn.training.process import Process, joined
from stabn.training.records import read_record, write_record

log = logging.getLogger(__name__)


def figures_from_predictions(predictions: pd.DataFrame) -> dict[str, Any]:
    """Everything that is reported of a run, from its predictions alone.

    Args:
        predictions: as :func:`predict` returns them, or as read back from ``predictions.parquet``.

    Returns:
        ``videos``, and how many more could not be decoded, ``failed`` (if any, with their causes
        under ``failed_videos``); of those that could, ``top1``, ``top5`` in [0, 1] and the mean
        cross-entropy ``loss``; the same of the attention branch under ``attention_…``;
        ``per_class`` {class id: videos, top1}; and, where the truth is known,
        ``rank_correlation``, ``pointing`` and ``mass_in_mask``: value, chance, n.
    """
    labels = predictions["label"].to_numpy()
    failed = predictions.attrs.get("failed", {})
    figures: dict[str, Any] = {"videos": len(predictions), "failed": len(failed)}
    if failed:
        figures["failed_videos"] = dict(failed)
    for prefix in ("", "attention_"):
        if f"{prefix}logits" not in predictions:
            continue
        logits = np.stack(predictions[f"{prefix}logits"]).astype(np.float64)  # (N, K)
        figures[f"{prefix}top1"] = topk_accuracy(logits, labels, 1)
        figures[f"{prefix}top5"] = topk_accuracy(logits, labels, 5)
        own = logits[np.arange(len(labels)), labels]
        figures[f"{prefix}loss"] = float((np.logaddexp.reduce(logits, axis=1) - own).mean())
    right = np.stack(predictions["logits"]).argmax(axis=1) == labels
    figures["per_class"] = {
        int(c): {"videos": int((labels == c).sum()), "top1": float(right[labels == c].mean())}
        for c in np.unique(labels)
    }
    if "temporal_truth" in predictions:
        score = rank_correlation(
            np.stack(predictions["temporal_attention"]), np.stack(predictions["temporal_truth"])
        )
        figures["rank_correlation"] = _score(score) | {
            "interval": list(score.interval),
            "exchanged": score.exchanged,
        }
        for name in ("pointing", "mass_in_mask"):
            known = predictions[[name, f"{name}_chance"]].dropna()
            figures[name] = {
                "value": float(known[name].mean()),
                "chance": float(known[f"{name}_chance"].mean()),
                "n": len(known),
            }
    return figures


def _score(score: Score) -> dict[str, Any]:
    return {"value": score.value, "chance": score.chance, "n": score.n}


def report(
    trained: Trained,
    config: RunConfig,
    me: Process,
    *,
    split: str,
    folder: Path,
    invert_spatial: bool = False,
    checkpoint: str = "best",
) -> dict[str, Any]:
    """Score a split, write its predictions, and enter its figures in the run's record.

    The run's own report goes to ``predictions.parquet``, any other to
    ``predictions-<tag>.parquet``; the record has both under ``results.<tag>``. The tag is the
    checkpoint's name if it is not ``best``, the split's name, then the sampling rule if it is not
    the run's own, then ``inverted``.

    Args:
        trained: the network and the run that made it.
        config: that run, with what is to be different in scoring.
        me: this process.
        split: which split to score.
        folder: the run's folder.
        invert_spatial: use 1 − M_s (equation (7)).
        checkpoint: which of the folder's networks this is, as in ``last`` or an arm's name.

    Returns:
        The figures.
    """
    tag = split if checkpoint == "best" else f"{checkpoint}-{split}"
    tag += f"-{config.sampling}" if config.sampling != trained.config.sampling else ""
    tag += "-inverted" if invert_spatial else ""
    with_truth = attends(config) and config.data == "ssv2" and has_truth(config.data_root)
    predictions = predict(
        trained.model.to(me.device),
        eval_loader(config, split, me),
        config,
        me,
        invert_spatial=invert_spatial,
        with_truth=with_truth,
    )
    figures = figures_from_predictions(predictions)
    if me.is_main:
        name = "predictions" if tag == trained.config.report_split else f"predictions-{tag}"
        with replacing(folder / f"{name}.parquet") as file:
            predictions.to_parquet(file, index=False)
        record = read_record(folder / "record.json")
        record.setdefault("results", {})[tag] = figures
        write_record(folder / "record.json", record)
        log.info("%s: %s", tag, in_words(figures))
    return figures


def attends(config: RunConfig) -> bool:
    """Whether the network has attention of its own: not the baseline, not the matched control."""
    return config.model == "st_abn" and config.constant_attention is None


def in_words(figures: dict[str, Any]) -> str:
    """One line for the log."""
    failed = f", {figures['failed']} more could not be decoded" if figures.get("failed") else ""
    return (
        f"{figures['videos']} videos{failed}, top-1 {figures['top1']:.4f}, "
        f"top-5 {figures['top5']:.4f}, loss {figures['loss']:.4f}"
    )


def evaluate(config: EvalConfig) -> None:
    """Score a trained run again: on another split, by another sampling rule, with M_s inverted.

    Raises:
        CheckpointError: no usable checkpoint in the run's folder, or made for other classes.
        ConfigError, AnnotationError, VideoError: what is to be scored cannot be read.
    """
    folder = Path(config.run)
    path = folder / f"{config.checkpoint}.pt"
    with joined() as me:
        trained = load(path)
        effective = as_asked(trained.config, config)
        check_classes(trained, effective, path)
        split = config.split or effective.report_split
        how = {"split": split, "folder": folder, "checkpoint": config.checkpoint}
        report(trained, effective, me, **how)
        if inverts(config, effective):
            report(trained, effective, me, **how, invert_spatial=True)


def as_asked(run: RunConfig, asked: Strict) -> RunConfig:
    """The description of a run, with what ``asked`` wants otherwise in scoring it."""
    given = asked.model_dump().items()
    return run.model_copy(
        update={n: v for n, v in given if n in RunConfig.model_fields and v is not None}
    )


def check_classes(trained: Trained, config: RunConfig, path: Path) -> None:
    """Whether the data set at hand has the classes that a network was trained on.

    Raises:
        CheckpointError: it has others; the message says what differs.
    """
    classes = class_texts(config)
    if classes != trained.classes:
        load(path, classes)


def inverts(config: EvalConfig, effective: RunConfig) -> bool:
    """Whether the network is also scored with 1 − M_s."""
    return config.invert_spatial and attends(effective)


@click.command(help="Score a trained network, each video once, and add the figures to its record.")
@click.argument("run", required=False)
@click.option("--config", metavar="FILE", help="YAML: values of EvalConfig")
def command(run: str | None, config: str | None) -> None:
    """Score RUN, a folder as in runs/mini_st_abn, or what a file describes."""
    values = read_yaml(config) if config else {}
    values |= {"run": run} if run else {}
    evaluate(parse(EvalConfig, values, config or "command line"))

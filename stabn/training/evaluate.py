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

from stabn.data.dataset import ONE_VIEW, Views
from stabn.data.mini.truth import has_truth
from stabn.metrics import Score, rank_correlation, topk_accuracy
from stabn.training.answers import write_answers
from stabn.training.build import class_texts, eval_loader
from stabn.training.checkpoint import CheckpointError, Trained, load
from stabn.training.config import ConfigError, RunConfig, Strict, parse, read_yaml
from stabn.training.eval_config import EvalConfig
from stabn.training.files import replacing, try_out
from stabn.training.lock import holding
from stabn.training.predict import predict
from stabn.training.process import Process, agreeing, joined
from stabn.training.records import check_features, read_record, write_record

log = logging.getLogger(__name__)


def figures_from_predictions(predictions: pd.DataFrame) -> dict[str, Any]:
    """Everything that is reported of a run, from its predictions alone.

    Args:
        predictions: as :func:`predict` returns them, or as read back from ``predictions.parquet``.

    Returns:
        ``videos``, and how many more could not be decoded, ``failed`` (if any, with their causes
        under ``failed_videos``); of those that could, ``top1``, ``top5`` in [0, 1] and the mean
        cross-entropy ``loss``; the same of the attention branch under ``attention_…``;
        ``per_class`` {class id: videos, top1}; ``step_top1``, the share of frames that are right,
        of a network that names a class at every step; and, where the truth is known,
        ``rank_correlation``, ``pointing`` and ``mass_in_mask``: value, chance, n. Of predictions
        without labels only the videos are counted.
    """
    failed = predictions.attrs.get("failed", {})
    figures: dict[str, Any] = {"videos": len(predictions), "failed": len(failed)}
    if failed:
        figures["failed_videos"] = dict(failed)
    if "label" not in predictions:
        return figures
    labels = predictions["label"].to_numpy()
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
    if "step_classes" in predictions:
        right_steps = np.stack(predictions["step_classes"]) == labels[:, None]  # (N, V·T)
        figures["step_top1"] = float(right_steps.mean())
    if "temporal_truth" in predictions:
        score = rank_correlation(
            np.stack(predictions["temporal_attention"]), np.stack(predictions["temporal_truth"])
        )
        figures["rank_correlation"] = _score(score) | {
            "interval": list(score.interval),
            "exchanged": score.exchanged,
        }
    for name in ("pointing", "mass_in_mask"):
        if name in predictions:
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
    views: Views = ONE_VIEW,
    unlabelled: bool = False,
) -> dict[str, Any]:
    """Score a split, write its predictions, and enter its figures in the run's record.

    The run's own report goes to ``predictions.parquet``, any other to
    ``predictions-<tag>.parquet``; the record has both under ``results.<tag>``, with the protocol by
    which they were made. The tag is the checkpoint's name if it is not ``best``, the split's name,
    then what differs from the run's own protocol (see :func:`tagged`, so no two share a name), then
    ``inverted``. Of a split without labels there are predictions alone, and ``answers-<tag>.csv``,
    the benchmark's form of them.

    Args:
        trained: the network and the run that made it.
        config: that run, with what is to be different in scoring.
        me: this process.
        split: which split to score.
        folder: the run's folder.
        invert_spatial: use 1 − M_s (equation (7)).
        checkpoint: which of the folder's networks this is, as in ``last`` or an arm's name.
        views: in which each video is looked at. Beside the truth attention is put only as the run
            itself looks.
        unlabelled: whether a list of ids alone will do.

    Returns:
        The figures.
    """
    tag = split if checkpoint == "best" else f"{checkpoint}-{split}"
    tag += tagged(trained.config, config, views) + "-inverted" * invert_spatial
    loader = eval_loader(config, split, me, views, unlabelled=unlabelled)
    known = config.data == "ssv2" and has_truth(config.data_root) and loader.dataset.labelled
    predictions = predict(
        trained.model.to(me.device),
        loader,
        config,
        me,
        invert_spatial=invert_spatial,
        with_truth=known and may_attend(config) and not views.several,
    )
    figures = figures_from_predictions(predictions) | {"protocol": protocol(config, views)}
    if me.is_main:
        name = "predictions" if tag == trained.config.report_split else f"predictions-{tag}"
        with replacing(folder / f"{name}.parquet") as file:
            predictions.to_parquet(file, index=False)
        if "label" not in predictions:
            write_answers(predictions, folder / f"answers-{tag}.csv")
        record = read_record(folder / "record.json")
        record.setdefault("results", {})[tag] = figures
        write_record(folder / "record.json", record)
        log.info("%s: %s", tag, in_words(figures))
    return figures


def tagged(own: RunConfig, config: RunConfig, views: Views) -> str:
    """What in the protocol differs from the run's own: ``-two_clip``, ``-2x3``, ``-224of224``."""
    tag = f"-{config.sampling}" if config.sampling != own.sampling else ""
    tag += f"-{views.temporal}x{views.spatial}" if views.several else ""
    sizes = config.image_size, config.short_side
    own_sizes = own.image_size, own.short_side
    return tag + ("-{}of{}".format(*sizes) if sizes != own_sizes else "")


def protocol(config: RunConfig, views: Views) -> dict[str, Any]:
    """How videos are looked at and the answers of their clips averaged, for the record."""
    return {
        "sampling": config.sampling,
        "num_frames": config.num_frames,
        "image_size": config.image_size,
        "short_side": config.short_side,
        "temporal_views": views.temporal,
        "spatial_crops": views.spatial,
        "averaged": "probabilities" if views.several else "logits",
    }


def attends(config: RunConfig) -> bool:
    """Whether it is an ST-ABN with attention of its own: not the matched control."""
    return config.model == "st_abn" and config.constant_attention is None


def weighs_frames(config: RunConfig) -> bool:
    """Whether a network on frames has an M_t of its own, which edits can correct."""
    weighs = getattr(config.network, "attention", "none") != "none"
    return attends(config) or (weighs and config.encoder is None)


def may_attend(config: RunConfig) -> bool:
    """Whether a network on frames may have attention that the truth can be put beside."""
    return attends(config) or (config.network is not None and config.encoder is None)


def in_words(figures: dict[str, Any]) -> str:
    """One line for the log."""
    failed = f", {figures['failed']} more could not be decoded" if figures.get("failed") else ""
    counted = f"{figures['videos']} videos{failed}"
    if "top1" not in figures:
        return f"{counted}, no labels"
    return (
        f"{counted}, top-1 {figures['top1']:.4f}, "
        f"top-5 {figures['top5']:.4f}, loss {figures['loss']:.4f}"
    )


def evaluate(config: EvalConfig) -> None:
    """Score a trained run again: another split, sampling rule or number of views, M_s inverted.

    Raises:
        CheckpointError: no usable checkpoint in the run's folder, or made for other classes.
        ConfigError, AnnotationError, VideoError: what is to be scored cannot be read; or another
            process is at work in the run's folder.
    """
    folder = Path(config.run)
    path = folder / f"{config.checkpoint}.pt"
    with joined() as me, holding(folder, me):
        with agreeing(me):
            trained = load(path)
            check_own(trained, folder)
            check_features(as_asked(trained.config, config), folder)
            if me.is_main:
                check_writable(folder)
        effective = as_asked(trained.config, config)
        check_classes(trained, effective, path)
        split = config.split or effective.report_split
        how = {"split": split, "folder": folder, "checkpoint": config.checkpoint}
        how |= {"views": config.views, "unlabelled": True}
        figures = report(trained, effective, me, **how)
        if inverts(config, effective) and "top1" in figures:
            report(trained, effective, me, **how, invert_spatial=True)


def as_asked(run: RunConfig, asked: Strict) -> RunConfig:
    """The description of a run, with what ``asked`` wants otherwise in scoring it.

    Raises:
        ConfigError: a ``short_side`` that cannot hold a crop of ``image_size``.
    """
    given = asked.model_dump().items()
    config = run.model_copy(
        update={n: v for n, v in given if n in RunConfig.model_fields and v is not None}
    )
    if config.short_side < config.image_size:
        raise ConfigError(
            f"short_side: must be at least image_size ({config.image_size}), not "
            f"{config.short_side}"
        )
    return config


def check_own(trained: Trained, folder: Path) -> None:
    """Whether a checkpoint is of the run whose record lies beside it.

    Raises:
        CheckpointError: it is of another one.
    """
    own = read_record(folder / "record.json").get("config", {})
    if own and trained.config.name != own["name"]:
        raise CheckpointError(
            f"{folder}: the checkpoint there is of the run {trained.config.name}, the record is of "
            f"{own['name']}; score it in the folder of its own run"
        )


def check_writable(folder: Path) -> None:
    """Whether the figures can be stored, before anything is scored.

    Raises:
        ConfigError: they cannot.
    """
    try:
        try_out(folder)
    except OSError as error:
        raise ConfigError(
            f"run: {folder} cannot be written ({error.strerror}); make it writable, or score a copy"
        ) from error


def check_classes(trained: Trained, config: RunConfig, path: Path) -> None:
    """Whether the data set at hand has the classes that a network was trained on.

    Raises:
        CheckpointError: it has others; the message says what differs.
    """
    classes = class_texts(config)
    if classes != trained.classes:
        load(path, classes)


def inverts(config: Strict, effective: RunConfig) -> bool:
    """Whether the network is also scored with 1 − M_s: where ``config`` says so, and it has M_s."""
    return config.invert_spatial and attends(effective)


@click.command(help="Score a trained network, each video once, and add the figures to its record.")
@click.argument("run", required=False)
@click.option("--config", metavar="FILE", help="YAML: values of EvalConfig")
def command(run: str | None, config: str | None) -> None:
    """Score RUN, a folder as in runs/mini_st_abn, or what a file describes."""
    values = read_yaml(config) if config else {}
    values |= {"run": run} if run else {}
    evaluate(parse(EvalConfig, values, config or "command line"))

"""Step 1 of fine-tuning: which videos are worth a person's time, and where the network looked.

``python -m stabn.knowledge.selection --config select.yaml``, alone or under torchrun: classes that
the network gets wrong on two splits, their misclassified training videos, worst first, each with
the temporal attention of all its frames and what re-scoring an edit needs.
"""

import argparse
import difflib
import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import Field, field_validator
from scipy.special import softmax

from stabn.data.video import VideoError
from stabn.knowledge.queue import (
    FORMAT,
    Queue,
    QueuedVideo,
    QueueError,
    becoming,
    is_there,
    write_queue,
)
from stabn.knowledge.rescoring import save_features, save_head
from stabn.knowledge.whole_video import Look, looks
from stabn.training.build import class_texts, eval_loader
from stabn.training.checkpoint import USER_ERRORS, Trained, load
from stabn.training.config import ConfigError, Precision, RunConfig, Strict, parse, read_yaml
from stabn.training.evaluate import attends, figures_from_predictions, predict
from stabn.training.files import file_hash
from stabn.training.process import gathered, joined
from stabn.training.records import code_version, data_fingerprint

log = logging.getLogger(__name__)

Accuracy = dict[int, tuple[float | None, float | None]]  # class id → on training, on check split


class SelectConfig(Strict):
    """Which videos to queue; what is left at None is taken from the run itself."""

    run: str = Field(min_length=1, description="run folder, as in runs/mini_st_abn")
    checkpoint: Literal["best", "last"] = Field("best", description="best | last")
    out: str | None = Field(None, description="the queue's folder; null: queue, in the run's")

    threshold: float = Field(0.5, ge=0, le=1, description="classes less accurate on both splits")
    train_split: str | None = Field(None, description="split to take videos from; null: the run's")
    check_split: str | None = Field(None, description="the other split; null: the run's eval_split")
    classes: tuple[int | str, ...] | None = Field(
        None, description="class ids or texts, in place of the threshold"
    )
    include_correct: bool = Field(False, description="also videos that are classified correctly")
    order: Literal["worst", "random"] = Field(
        "worst", description="worst first | random: by lot, to say something about all videos"
    )
    limit: int | None = Field(None, ge=1, description="keep so many videos, the first")

    data_root: str | None = Field(None, description="null: as in training")
    prepared: str | None = Field(None, description="null: as in training")
    batch_size: int | None = Field(None, ge=1, description="null: as in training")
    workers: int | None = Field(None, ge=0, description="null: as in training")
    precision: Precision | None = Field(None, description="null: as in training")

    @field_validator("classes", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        """``papermill -p classes "[3, 5]"`` passes text, ``-p classes 3`` a number."""
        if isinstance(value, str) and value.lower() not in ("null", "none"):
            try:
                read = yaml.safe_load(value)
            except yaml.YAMLError:
                read = value
            return read if isinstance(read, list) else [value]
        return [value] if isinstance(value, int) else value


def weak_classes(accuracy: Accuracy, threshold: float) -> tuple[int, ...]:
    """Classes whose accuracy is known on both splits, and below ``threshold`` on both."""
    return tuple(
        c for c, both in accuracy.items() if all(a is not None and a < threshold for a in both)
    )


def class_ids(named: Sequence[int | str], classes: Sequence[str]) -> tuple[int, ...]:
    """Ids of classes given by id or by their exact text, sorted, each once.

    Raises:
        QueueError: no such id or text; the message names the nearest text.
    """
    found = set()
    for name in named:
        if isinstance(name, str) and name not in classes:
            near = difflib.get_close_matches(name, classes, n=1, cutoff=0)[0]
            raise QueueError(f"classes: there is no class {name!r} (did you mean {near!r}?)")
        if isinstance(name, int) and not 0 <= name < len(classes):
            raise QueueError(f"classes: there is no class {name}; ids are 0 to {len(classes) - 1}")
        found.add(name if isinstance(name, int) else classes.index(name))
    return tuple(sorted(found))


def candidates(
    predictions: pd.DataFrame,
    weak: Sequence[int],
    *,
    include_correct: bool = False,
    order: str = "worst",
) -> pd.DataFrame:
    """The videos to be corrected, worst first: lowest probability of the true class, then id.

    Args:
        predictions: of the training split, from :func:`stabn.training.evaluate.predict`.
        weak: ids of the classes to take videos of.
        include_correct: also those that the network classifies correctly.
        order: ``"random"``: by lot instead, the same one every time.

    Returns:
        video_id, label, predicted, probability (of the true class).
    """
    labels = predictions["label"].to_numpy()
    probabilities = softmax(np.stack(predictions["logits"]).astype(np.float64), axis=1)  # (N, K)
    rows = predictions[["video_id", "label"]].assign(
        predicted=probabilities.argmax(axis=1),
        probability=probabilities[np.arange(len(labels)), labels],
    )
    kept = rows["label"].isin(weak)
    if not include_correct:
        kept &= rows["predicted"] != rows["label"]
    if order == "random":
        return rows[kept].sort_values("video_id").sample(frac=1, random_state=0, ignore_index=True)
    return rows[kept].sort_values(["probability", "video_id"], ignore_index=True)


def select(config: SelectConfig) -> Path:
    """Make the queue that ``config`` describes, unless it is there already.

    Returns:
        The queue's folder.

    Raises:
        QueueError: nothing to correct, or ``out`` holds something else; it says what to do.
        CheckpointError, ConfigError, AnnotationError, VideoError: what is asked for cannot be read.
    """
    out = Path(config.out or Path(config.run) / "queue")
    path = Path(config.run) / f"{config.checkpoint}.pt"
    with joined() as me:
        trained = load(path)
        if not attends(trained.config):
            raise QueueError(
                f"{path}: has no temporal attention of its own that could be corrected (it is the "
                f"baseline, or the matched control); give an ST-ABN's run"
            )
        effective = trained.config.model_copy(update=_asked(config))
        if class_texts(effective) != trained.classes:
            load(path, class_texts(effective))  # says what differs
        splits = _splits(config, effective)
        named = None if config.classes is None else class_ids(config.classes, trained.classes)
        empty = _empty(config, effective, trained, named, splits, out) if me.is_main else None
        if gathered([is_there(out, empty.key)] if me.is_main else [], me)[0]:
            log.info("%s: holds this very queue already and is left alone", out)
            return out
        model = trained.model.to(me.device)
        train, check = (
            predict(model, eval_loader(effective, split, me), effective, me) for split in splits
        )
        for cause in (train.attrs["failed"] | check.attrs["failed"]).values():
            raise VideoError(cause)  # what cannot be looked at cannot be corrected
        accuracy = _accuracy(train, check, len(trained.classes))
        weak = weak_classes(accuracy, config.threshold) if named is None else named
        how = {"include_correct": config.include_correct, "order": config.order}
        rows = candidates(train, weak, **how)[: config.limit]
        if rows.empty:
            raise QueueError(_why_empty(config, splits, weak, accuracy, trained.classes))
        log.info("classes selected: %d; videos to be looked at whole: %d", len(weak), len(rows))
        seen = looks(model, list(rows["video_id"]), effective, me)
        if not me.is_main:
            for _ in seen:  # in step with the one that writes
                pass
            return out
        with becoming(out, empty.key) as part:
            videos = _written(part, rows, seen)
            save_head(part / "head.pt", model, trained.config)
            write_queue(replace(empty, folder=part, weak=weak, accuracy=accuracy, videos=videos))
        order = {"worst": "worst first", "random": "by lot"}[config.order]
        log.info("%s: %d videos, %s", out, len(rows), order)
    return out


def _asked(config: SelectConfig) -> dict[str, Any]:
    """What ``config`` wants other than the run had it."""
    given = config.model_dump().items()
    return {n: v for n, v in given if n in RunConfig.model_fields and v is not None}


def _splits(config: SelectConfig, effective: RunConfig) -> tuple[str, str]:
    train, check = effective.train_split, config.check_split or effective.eval_split
    if train == check:
        raise ConfigError(f"check_split: must be another split than train_split ({train!r})")
    return train, check


def _empty(
    config: SelectConfig,
    effective: RunConfig,
    trained: Trained,
    named: tuple[int, ...] | None,
    splits: tuple[str, str],
    out: Path,
) -> Queue:
    """The queue without what only the network can tell."""
    model = file_hash(Path(config.run) / f"{config.checkpoint}.pt")
    data = data_fingerprint(effective)
    decided_by = {
        **{"format": FORMAT, "model": model, "data": data["sha256"], "splits": splits},
        **{"prepared": effective.prepared, "precision": effective.precision},
        **config.model_dump(include={"threshold", "include_correct", "order", "limit"}),
        "classes": named,
    }
    return Queue(
        folder=out,
        run=config.run,
        checkpoint=config.checkpoint,
        model=model,
        data_root=effective.data_root,
        classes=trained.classes,
        num_frames=effective.num_frames,
        splits=splits,
        weak=(),
        accuracy={},
        videos=(),
        key=hashlib.sha256(json.dumps(decided_by, sort_keys=True).encode()).hexdigest(),
        provenance={
            "settings": config.model_dump(mode="json"),
            "code": code_version(),
            "data": data,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def _accuracy(train: pd.DataFrame, check: pd.DataFrame, num_classes: int) -> Accuracy:
    train_classes, check_classes = (
        figures_from_predictions(predictions)["per_class"] for predictions in (train, check)
    )
    return {
        c: (train_classes.get(c, {}).get("top1"), check_classes.get(c, {}).get("top1"))
        for c in range(num_classes)
    }


def _why_empty(
    config: SelectConfig,
    splits: tuple[str, str],
    weak: Sequence[int],
    accuracy: Accuracy,
    classes: Sequence[str],
) -> str:
    """Says what to loosen, with the figures that it takes to decide."""
    known = [c for c, both in accuracy.items() if None not in both]
    shown = sorted(weak or known, key=lambda c: max(a or 0 for a in accuracy[c]))[:5]
    listed = "; ".join(
        f"{classes[c]!r} " + ", ".join("unknown" if a is None else f"{a:.1%}" for a in accuracy[c])
        for c in shown
    )
    if weak:
        return (
            f"{config.run}: nothing to correct: no video of {splits[0]} in the classes selected is "
            f"misclassified ({listed} correct on {' and '.join(splits)}); name other `classes`, "
            f"raise `threshold`, or set `include_correct`"
        )
    return (
        f"{config.run}: nothing to correct: no class is below the threshold of "
        f"{config.threshold:.1%} on both {' and '.join(splits)}; the weakest are {listed}; raise "
        f"`threshold`, or name `classes`"
    )


def _written(part: Path, rows: pd.DataFrame, looks: Iterator[Look]) -> tuple[QueuedVideo, ...]:
    """The queue's entries; the features are in their files then."""
    videos = []
    for place, (row, look) in enumerate(zip(rows.itertuples(), looks, strict=True)):
        features = f"features/{place:05d}.npz"
        save_features(part / features, look.features)
        size = (part / features).stat().st_size / 1e6
        if place == 0:
            log.info("features: %.2f MB a video, %.1f MB in all", size, size * len(rows))
        if (place + 1) % 100 == 0:
            log.info("%d of %d videos", place + 1, len(rows))
        videos.append(
            QueuedVideo(
                video_id=row.video_id,
                label=int(row.label),
                predicted=int(row.predicted),
                probability=float(row.probability),
                attention=tuple(np.round(look.attention.astype(float), 6).tolist()),
                sampled=tuple(look.features.indices.flatten().tolist()),
                features=features,
            )
        )
    return tuple(videos)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stabn.knowledge.selection",
        description="Queue the videos whose attention people are to correct, worst first.",
    )
    parser.add_argument("--config", required=True, help="YAML of the values of SelectConfig")
    arguments = parser.parse_args()
    try:
        select(parse(SelectConfig, read_yaml(arguments.config), arguments.config))
    except (*USER_ERRORS, QueueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

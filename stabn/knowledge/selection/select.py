"""Step 1 of fine-tuning: which videos are worth a person's time, and where the network looked.

``stabn select --config select.yaml``, alone or under torchrun: classes that
the network gets wrong on two splits, their misclassified training videos, worst first, each with
the temporal attention of all its frames and what re-scoring an edit needs.
"""

import difflib
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from stabn.data.dataset import Failure
from stabn.data.video import VideoError
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.queue import (
    FORMAT,
    Queue,
    QueuedVideo,
    QueueError,
    becoming,
    is_there,
    write_queue,
)
from stabn.knowledge.selection.rescoring import save_features, save_head
from stabn.knowledge.selection.whole_video import Look, looks
from stabn.models.st_abn import STABN
from stabn.training.build import eval_loader
from stabn.training.checkpoint import Trained, load
from stabn.training.config import ConfigError, RunConfig, configured
from stabn.training.evaluate import as_asked, attends, check_classes, figures_from_predictions
from stabn.training.files import file_hash
from stabn.training.lock import holding
from stabn.training.pace import paced
from stabn.training.predict import predict
from stabn.training.process import Process, gathered, joined
from stabn.training.records import code_version, data_fingerprint

log = logging.getLogger(__name__)

Accuracy = dict[int, tuple[float | None, float | None]]  # class id → on training, on check split


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
        predictions: of the training split, from :func:`stabn.training.predict.predict`.
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

    A video that cannot be decoded is left out, and listed with its cause in ``failed``.

    Returns:
        The queue's folder.

    Raises:
        QueueError: nothing to correct, or ``out`` holds something else; it says what to do.
        CheckpointError, ConfigError, AnnotationError: what is asked for cannot be read; or another
            process is at work on this queue.
        VideoError: not one video of a split, or of those selected, can be decoded.
    """
    out, path = config.folder, config.start
    with joined() as me, holding(out, me, out.with_name(f".{out.name}.lock")):
        trained = load(path)
        check_attends(trained, path)
        effective = as_asked(trained.config, config)
        check_classes(trained, effective, path)
        splits = two_splits(config, effective)
        named = named_classes(config, trained)
        empty = empty_queue(config, effective, trained, named, splits) if me.is_main else None
        if gathered([is_there(out, empty.key)] if me.is_main else [], me)[0]:
            log.info("%s: holds this very queue already and is left alone", out)
            return out
        model = trained.model.to(me.device)
        train, check = (
            predict(model, eval_loader(effective, split, me), effective, me) for split in splits
        )
        failed = train.attrs["failed"] | check.attrs["failed"]
        accuracy = _accuracy(train, check, len(trained.classes))
        weak = weak_classes(accuracy, config.threshold) if named is None else named
        how = {"include_correct": config.include_correct, "order": config.order}
        rows = candidates(train, weak, **how)
        if rows.empty:
            raise QueueError(_why_empty(config, splits, weak, accuracy, trained.classes))
        count = min(len(rows), config.limit or len(rows))
        log.info("classes selected: %d; videos to be looked at whole: %d", len(weak), count)
        seen = paced(_whole(model, rows, count, effective, failed, me), count, "videos looked at")
        if not me.is_main:
            for _ in seen:  # in step with the one that writes
                pass
            return out
        with becoming(out, empty.key) as part:
            videos = _written(part, seen, count)
            if not videos:
                cause = next(reversed(failed.values()))
                raise VideoError(f"none of the {len(rows)} videos selected can be decoded: {cause}")
            save_head(part / "head.pt", model, trained.config)
            found = {"weak": weak, "accuracy": accuracy, "videos": videos, "failed": failed}
            write_queue(replace(empty, folder=part, **found))
        order = {"worst": "worst first", "random": "by lot"}[config.order]
        left = f"; {len(failed)} could not be decoded and are left out" if failed else ""
        log.info("%s: %d videos, %s%s", out, len(videos), order, left)
    return out


def check_attends(trained: Trained, path: Path) -> None:
    """Whether there is anything to correct.

    Raises:
        QueueError: the network has no attention of its own.
    """
    if not attends(trained.config):
        raise QueueError(
            f"{path}: has no temporal attention of its own that could be corrected (it is the "
            f"matched control, or no ST-ABN); give an ST-ABN's run"
        )


def two_splits(config: SelectConfig, effective: RunConfig) -> tuple[str, str]:
    """The split that videos are taken from, and the other one.

    Raises:
        ConfigError: they are the same.
    """
    train, check = effective.train_split, config.check_split or effective.eval_split
    if train == check:
        raise ConfigError(f"check_split: must be another split than train_split ({train!r})")
    return train, check


def named_classes(config: SelectConfig, trained: Trained) -> tuple[int, ...] | None:
    """Ids of the classes that are asked for by name; None where the threshold decides.

    Raises:
        QueueError: as :func:`class_ids`.
    """
    return None if config.classes is None else class_ids(config.classes, trained.classes)


def empty_queue(
    config: SelectConfig,
    effective: RunConfig,
    trained: Trained,
    named: tuple[int, ...] | None,
    splits: tuple[str, str],
) -> Queue:
    """The queue without what only the network can tell."""
    model = file_hash(config.start)
    data = data_fingerprint(effective)
    decided_by = {
        **{"format": FORMAT, "model": model, "data": data["sha256"], "splits": splits},
        **{"prepared": effective.prepared, "precision": effective.precision},
        **config.model_dump(include={"threshold", "include_correct", "order", "limit"}),
        "classes": named,
    }
    return Queue(
        folder=config.folder,
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


def _whole(
    model: STABN,
    rows: pd.DataFrame,
    count: int,
    config: RunConfig,
    failed: dict[str, str],
    me: Process,
) -> Iterator[tuple[Any, Look]]:
    """The first ``count`` rows whose videos can be decoded whole, on every rank.

    What evaluation has decoded may still be broken at a frame that no clip takes: such a video
    joins ``failed``, and the next one in line takes its place.
    """
    seen = looks(model, list(rows["video_id"]), config, me)
    whole = 0
    for row, found in zip(rows.itertuples(), seen, strict=True):
        if isinstance(found, Failure):
            failed[found.video_id] = found.cause
            log.warning("not decoded, and left out: %s", found.cause)
            continue
        yield row, found
        whole += 1
        if whole == count:
            return


def _written(part: Path, seen: Iterable[tuple[Any, Look]], count: int) -> tuple[QueuedVideo, ...]:
    """The queue's entries; the features are in their files then."""
    videos = []
    for place, (row, look) in enumerate(seen):
        features = f"features/{place:05d}.npz"
        save_features(part / features, look.features)
        size = (part / features).stat().st_size / 1e6
        if place == 0:
            log.info("features: %.2f MB a video, %.1f MB in all", size, size * count)
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


command = configured(select, SelectConfig)

"""Edits → what L_temp compares M_t with: levels at the frames a clip was sampled from.

Beside people's own levels stand the placebos: edits that carry no knowledge of *their* video.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import numpy as np
import torch
from torch import Tensor

from stabn.data.dataset import Videos
from stabn.knowledge.edits.agreement import consensus
from stabn.knowledge.edits.edit import Edit, EditError
from stabn.knowledge.edits.exchange import read_json

Levels = Mapping[str, np.ndarray]  # video id → float32 (n,) in [0, 1], one for every source frame


def read_edits(source: str) -> list[Edit]:
    """Each annotator's latest edit of each video, from a JSON file or a store.

    What is set aside is not among them: the store leaves it out, here and where it is exported. So
    are the store's gold videos, which people are checked by, unless they were named to train on.

    Args:
        source: ``edits.json``, or what :class:`stabn.knowledge.store.store.Store` opens.

    Raises:
        EditError: the file is missing, damaged, or holds an impossible edit.
        StoreError: no such store, or one that cannot be read.
        MissingExtra: a store is read with SQLAlchemy, which is not installed.
    """
    if source.lower().endswith(".json"):
        return read_json(source)
    from stabn.knowledge.store.store import Store  # here, as the core has no databases

    store = Store(source, create=False)
    return store.gold.lessons(store.edits())


def unchanged(edits: Iterable[Edit]) -> set[str]:
    """Videos of which somebody says "nothing to correct", and that nobody edited.

    That is an answer, and no knowledge to learn from: L_temp would pull M_t back to the network's
    own past.

    Args:
        edits: of any videos; of several by one annotator of one video the latest counts.
    """
    latest = {(e.video_id, e.annotator): e for e in sorted(edits, key=attrgetter("made"))}
    by: dict[str, set[str]] = {}
    for edit in latest.values():
        by.setdefault(edit.verdict, set()).add(edit.video_id)
    return by.get("nothing_to_correct", set()) - by.get("edited", set())


def read_targets(edits: Sequence[Edit], known: Mapping[str, int], videos: Videos) -> Levels:
    """What annotators agree on, checked against the videos that are to be trained on.

    Args:
        edits: of any number of annotators.
        known: {video id: class id} of the training split.
        videos: says how many frames a video has.

    Raises:
        EditError: no edit with levels; an edit of a video outside the training split; another
            number of levels than the video has frames.
    """
    levels = consensus(edits)
    if not levels:
        left = len(unchanged(edits))
        why = f", in {left} videos there was nothing to correct" if left else ""
        raise EditError(f"edits: none of them sets levels{why}; there is nothing to learn from")
    strangers = sorted(set(levels) - set(known))
    if strangers:
        raise EditError(
            f"edits: {len(strangers)} of {len(levels)} are of videos outside the training split "
            f"({', '.join(strangers[:5])}); were they made for another data set?"
        )
    for video_id, row in levels.items():
        frames = videos.frames(video_id)
        if len(row) != frames:
            raise EditError(
                f"edits: video {video_id} has {len(row)} levels but {frames} frames; was the edit "
                f"made on another copy of the video?"
            )
    return levels


def at_frames(
    levels: Levels | None, video_ids: Sequence[str], frame_indices: Tensor
) -> tuple[Tensor, Tensor]:
    """A batch's targets, looked up by source frame index.

    Args:
        levels: of the edited videos; None where nothing is edited.
        video_ids: N ids.
        frame_indices: int64 (N, T), source frame indices.

    Returns:
        M_t′ float32 (N, T), zeros where there is none; and bool (N,), which videos are edited.
    """
    levels = levels or {}
    edited = torch.tensor([video_id in levels for video_id in video_ids])
    target = torch.zeros(frame_indices.shape)
    for i in edited.nonzero().flatten().tolist():
        target[i] = torch.as_tensor(levels[video_ids[i]], dtype=torch.float32)[frame_indices[i]]
    return target, edited


def swapped(levels: Levels, class_of: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """The placebo: each video gets the edit of another one of its class, stretched to its length.

    It says what edits of such videos look like, and nothing about when *this* one acts. The edit
    of a class that has only one goes round among those of other such classes.

    Raises:
        EditError: a single edited video in all: there is no other to take one from.
    """
    rng = np.random.default_rng(seed)
    groups: dict[int | None, list[str]] = {}
    counts = np.unique([class_of[video_id] for video_id in levels], return_counts=True)
    many = {int(k) for k, count in zip(*counts, strict=True) if count > 1}
    for video_id in sorted(levels):
        class_id = class_of[video_id]
        groups.setdefault(class_id if class_id in many else None, []).append(video_id)
    if len(groups.get(None, [])) == 1 and many:  # a class of one beside others: join one of them
        groups[min(many)] += groups.pop(None)
    given = {}
    for group in groups.values():
        if len(group) < 2:
            raise EditError("edits: the placebo swaps edits between videos and needs two or more")
        ring = rng.permutation(group).tolist()
        for video_id, donor in zip(ring, ring[1:] + ring[:1], strict=True):
            given[video_id] = stretched(levels[donor], len(levels[video_id]))
    return given


def shifted(levels: Levels) -> dict[str, np.ndarray]:
    """An ablation, not a fair placebo: each edit turned round by half of its video.

    It marks the times that are *wrong*, so it does harm rather than nothing.
    """
    return {video_id: np.roll(row, len(row) // 2) for video_id, row in levels.items()}


def distance(one: Levels, other: Levels) -> float:
    """Mean absolute difference of the levels of the same videos, over frames, then videos."""
    return float(np.mean([np.abs(row - other[video_id]).mean() for video_id, row in one.items()]))


def stretched(row: np.ndarray, n: int) -> np.ndarray:
    """Levels (m,) of one video → (n,) of another: the level on show at the same share of time."""
    return row[((np.arange(n) + 0.5) * len(row) / n).astype(int)]

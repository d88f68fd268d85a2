"""What would stop a selection: ``stabn preflight select``.

Given the selection's ``--config`` and launched as it will be, on as many processes, it looks at the
checkpoint, both splits and the queue's folder, scores clips at full size, has the network look at
the longest video whole, and says when all will be done. Nothing is written.
"""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from stabn.data.counts import MANIFEST
from stabn.data.dataset import ClipDataset
from stabn.data.video import VideoError
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.queue import is_there
from stabn.knowledge.selection.select import (
    check_attends,
    empty_queue,
    named_classes,
    two_splits,
)
from stabn.knowledge.selection.whole_video import clips_at_a_time, look
from stabn.training.build import eval_loader
from stabn.training.checkpoint import Trained, load
from stabn.training.config import RunConfig, configured
from stabn.training.evaluate import as_asked, check_classes
from stabn.training.pace import duration
from stabn.training.preflight.evaluation import scoring_alone
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.memory import tell_peak
from stabn.training.preflight.ready import check_data, check_disk, check_folder, free_bytes
from stabn.training.preflight.trial import (
    read_ahead,
    tell_failures,
    tell_speed,
    tell_time,
    time_scoring,
    together,
)
from stabn.training.process import heeding_sigterm, joined

PROBING = 2.0  # seconds for which videos are asked for their lengths
TRIES = 5  # long videos, of which some may be broken at a frame that no clip takes
LOOKING = 5.0  # seconds for a look, beyond which one is enough
REMEDY = "give another `out`"


def preflight(config: SelectConfig) -> None:
    """Check all that a selection needs, and measure what it will take.

    Raises:
        PreflightError: something would stop it; the message lists everything that would.
    """
    out = config.folder
    with joined() as me, heeding_sigterm(me):
        found = Findings(me)
        check_folder(found, out.parent, REMEDY)
        there = False
        with found.checking("checkpoint"):
            trained = load(config.start)
            found.good("checkpoint", trained.origin)
            with found.checking("checkpoint"):
                check_attends(trained, config.start)
            effective = as_asked(trained.config, config)
            with found.checking("classes"):
                named = named_classes(config, trained)
            splits = (effective.train_split, config.check_split or effective.eval_split)
            with found.checking("splits"):
                two_splits(config, effective)
            counts = check_data(found, effective, splits, bears=1)
            if counts:
                check_classes(trained, effective, config.start)
            with found.checking("queue"):
                if me.is_main and not found.faults:
                    key = empty_queue(config, effective, trained, named, splits).key
                    there = is_there(out, key)
        found.settle()
        if me.total(there)[0]:
            found.good("queue", f"{out} holds this very queue already: nothing is left")
            return

        loader = eval_loader(effective, splits[0], me)
        batches, reading = read_ahead(loader, me)
        tell_failures(found, batches)
        scoring = time_scoring(found, batches, scoring_alone(trained, effective, found))
        known = [video_id for batch in batches for video_id in batch.video_id]
        with found.checking("whole video"):
            each, size = look_at_longest(found, trained, effective, loader.dataset, known)
        found.settle()
        tell_peak(found)
        most = min(counts[splits[0]], config.limit or counts[splits[0]])
        check_room(found, config, size, most)
        found.settle()
        tell_speed(found, "scored", 1 / scoring, reading, loader.num_workers)
        clips = sum(counts[split] for split in splits) * loader.sampler.views
        seconds = clips * together(1 / reading, scoring, loader.num_workers)
        tell_time(found, seconds, f"scoring {' and '.join(splits)}")
        found.good(
            "time",
            f"then {each:.2f} s for each video selected, as long as that one: at most "
            f"{duration(most * each)} for {most}",
        )


def look_at_longest(
    found: Findings,
    trained: Trained,
    config: RunConfig,
    clips: ClipDataset,
    known: Sequence[str],
) -> tuple[float, int]:
    """Try the whole-video pass where it takes most memory, on every process at the same time.

    Returns:
        Seconds that a look takes, over all processes; bytes of the features that it gives.

    Raises:
        VideoError: not one of the longest videos can be decoded whole.
    """
    size = clips_at_a_time(config, found.me)
    for video_id, n in longest(clips, known, config)[:TRIES]:
        try:
            for _ in range(2):  # the first one fetches kernels and memory
                start = time.monotonic()
                features = look(trained.model, clips.videos, video_id, config, size).features
                seconds = time.monotonic() - start
                if seconds > LOOKING:
                    break
        except VideoError as error:
            found.warn("whole video", f"would be left out: {error}")
            continue
        found.good("whole video", f"{video_id}, {n} frames, the longest found: {seconds:.2f} s")
        halves = features.features.numel() + features.spatial.numel()
        stored = 2 * halves + 4 * features.temporal.numel() + 8 * features.indices.numel()
        return seconds / found.me.world_size, stored
    raise VideoError(config.data_root, f"{TRIES} long videos cannot be decoded whole; see above")


def longest(clips: ClipDataset, known: Sequence[str], config: RunConfig) -> list[tuple[str, int]]:
    """Videos and their frames, the longest first: of the manifest, else of those soon asked for it.

    Args:
        clips: of the split that is selected from.
        known: some of its videos that can be decoded.
        config: the run.
    """
    ids = [record.video_id for record in clips.records]
    manifest = Path(config.data_root) / MANIFEST
    found: dict[str, int] = {}
    if config.data == "ssv2" and not config.prepared and manifest.is_file():
        rows = pd.read_parquet(manifest, columns=["id", "frames", "status"])
        rows = rows[(rows["status"] == "ok") & rows["id"].isin(ids)]
        found = dict(zip(rows["id"], rows["frames"].astype(int), strict=True))
    until = time.monotonic() + PROBING
    for video_id in [] if found else [*known, *random.Random(0).sample(ids, len(ids))]:
        with suppress(VideoError):
            found[video_id] = clips.videos.frames(video_id)
        if time.monotonic() > until:
            break
    return sorted(found.items(), key=lambda item: -item[1])


def check_room(found: Findings, config: SelectConfig, size: int, most: int) -> None:
    """Whether the features of the videos find room; without a limit, nobody knows how many."""
    needed, free = float(size * most), free_bytes(config.folder)
    what = f"features, {size / 1e6:.2f} MB for each of at most {most} videos"
    if config.limit is None and needed > free:
        found.warn(
            "disk",
            f"{needed / 2**30:.2f} GiB of {what}; there is room for {free // size}: set `limit` if "
            f"more may be selected",
        )
    else:
        check_disk(found, config.folder, needed, what, f"{REMEDY}, or set a lower `limit`")


command = configured(preflight, SelectConfig)

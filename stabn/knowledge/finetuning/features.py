"""f(x) of every clip that comes again, computed once and kept on disk.

The extractor is frozen, its batch normalisation too: of one clip it gives the same f(x) in every
epoch. A clip comes again where a fine-tuning has fewer ``draws`` than ``epochs``. Then all f(x) are
computed before the first step, and the steps read them in place of videos. A killed fine-tuning
goes on with those that it has kept; a finished one has none left.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch, Clip, ClipDataset, ClipKey, Failure, LabelledClips, collate
from stabn.knowledge.finetuning.step import Tuning, extracted
from stabn.training.build import loading
from stabn.training.config import ConfigError
from stabn.training.files import file_hash, replacing
from stabn.training.preflight.ready import free_bytes
from stabn.training.process import Process, agreeing, gathered
from stabn.training.records import writing
from stabn.training.resume import FREE

log = logging.getLogger(__name__)

CLIPS = 8  # in a file
SHARE = 0.5  # of the disk that is free, which features may take; the rest is for checkpoints


@dataclass(frozen=True)
class Keeping:
    """The features that a fine-tuning would keep.

    Attributes:
        folder: where; its name changes with all that f(x) depends on.
        keys: the clips, file by file; none where no clip comes again.
        missing: numbers of the files that are not there yet.
        needed: bytes that these take.
        free: bytes of disk that are free.
    """

    folder: Path
    keys: Sequence[ClipKey]
    missing: Sequence[int]
    needed: int
    free: int

    @property
    def fits(self) -> bool:
        """Whether there is room for them."""
        return self.needed <= SHARE * self.free

    @property
    def clips(self) -> int:
        """How many f(x) are still to be computed."""
        return sum(len(self.of(number)) for number in self.missing)

    def of(self, number: int) -> Sequence[ClipKey]:
        """The clips of a file."""
        return self.keys[number * CLIPS :][:CLIPS]

    def __str__(self) -> str:
        room = f"{self.needed / 2**30:.2f} GiB of disk, {self.free / 2**30:.1f} GiB free"
        if self.fits:
            return f"f(x) of {len(self.keys)} clips is computed once and kept: {room}"
        return (
            f"f(x) of {len(self.keys)} clips would take {room}, of which it may take half: it is "
            f"computed anew in each epoch"
        )


def keeping(tuning: Tuning) -> Keeping:
    """What a fine-tuning would keep, the same on all processes; a collective call."""
    config, sampler = tuning.config, tuning.loader.batch_sampler
    again = config.draws is not None and config.draws < config.epochs
    keys = []
    if again and tuning.progress.epoch < config.epochs:
        keys = [ClipKey(i, draw, r) for draw in range(config.draws) for i, r in sampler.clips]
    folder = config.folder / f"features-{_depends_on(tuning, keys)}"
    numbers = range(-(-len(keys) // CLIPS))
    missing = [number for number in numbers if not _file(folder, number).is_file()]
    plan = Keeping(folder, keys, missing, 0, free_bytes(config.folder))
    plan = replace(plan, needed=plan.clips * _bytes_of_one(tuning) if keys else 0)
    return gathered([plan], tuning.me)[0]  # rank 0's: another may see other files or another disk


def fed_with_features(tuning: Tuning) -> Tuning:
    """The same fine-tuning, which reads f(x) of clips that come again; else as it was.

    Raises:
        ConfigError: a file cannot be written.
        VideoError: so many videos in a row cannot be decoded.
        SystemExit: SIGTERM; what has been computed is kept.
    """
    plan = keeping(tuning)
    if not plan.keys:
        return tuning
    log.info("%s", plan)
    if not plan.fits:
        return tuning
    compute(tuning, plan)
    sampler = tuning.loader.batch_sampler
    kept = KeptFeatures(tuning.loader.dataset, plan)
    loader = DataLoader(kept, batch_sampler=sampler, **loading(tuning.run, tuning.me))
    return replace(tuning, loader=loader)


def compute(tuning: Tuning, plan: Keeping) -> None:
    """Compute and write what is missing, each process its share of the files."""
    me = tuning.me
    mine = plan.missing[me.rank :: me.world_size]
    how = loading(tuning.run, me) | {"collate_fn": list}
    clips = DataLoader(tuning.loader.dataset, batch_sampler=list(map(plan.of, mine)), **how)
    coming = zip(mine, clips, strict=True)
    for _ in range(-(-len(plan.missing) // me.world_size)):
        with agreeing(me):
            if todo := next(coming, None):
                number, parts = todo
                features = extracted(tuning, collate(parts))
                with writing(plan.folder):
                    write(_file(plan.folder, number), features, parts)
        if me.total(me.terminated.is_set())[0]:
            me.leave()


def forget_features(folder: Path, me: Process) -> None:
    """Remove what a fine-tuning that is through has kept."""
    if me.is_main:
        for path in folder.glob("features-*"):
            shutil.rmtree(path, ignore_errors=True)


class KeptFeatures(LabelledClips):
    """f(x) of clips, with what else is known of them, by the keys of the clips.

    ``video`` of a clip is f(x), float (C, T, H′, W′). Where a video could not be decoded, the
    failure is told each time, and another clip stands in its place, as where videos are read.
    """

    def __init__(self, clips: ClipDataset, plan: Keeping):
        super().__init__(clips.records, clips.seed)
        self.folder = plan.folder
        self.places = {key: divmod(place, CLIPS) for place, key in enumerate(plan.keys)}

    def __getitems__(self, keys: Sequence[ClipKey]) -> list[Clip | Failure]:
        """The clips of a batch, each after the failures in whose place it stands.

        Raises:
            ConfigError: a file is missing or damaged.
        """
        return [part for key in keys for part in self._read(*self.places[key])]

    def _read(self, number: int, row: int) -> list[Clip | Failure]:
        path = _file(self.folder, number)
        try:
            with safe_open(path, "pt") as file:
                of = json.loads(file.metadata()["clips"])[row]
                features, label, at = (
                    file.get_slice(name)[row] for name in ("features", "label", "frame_indices")
                )
        except (OSError, SafetensorError) as error:
            raise ConfigError(
                f"{path}: is damaged ({error}); delete it and start again: it is made anew"
            ) from error
        failures = [Failure(*failure) for failure in of["failures"]]
        clip = Clip(features.permute(3, 0, 1, 2), int(label), of["video_id"], at)
        return [*failures, clip]


def write(path: Path, features: Tensor, parts: Sequence[Clip | Failure]) -> None:
    """Write f(x) (n, C, T, H′, W′) of some clips, and what else is known of them.

    Args:
        path: a ``.safetensors``, which appears whole or not at all.
        features: on any device, of any type.
        parts: the n clips, each after the failures in whose place it stands.
    """
    clips = [part for part in parts if isinstance(part, Clip)]
    tensors = {
        "features": features.permute(0, 2, 3, 4, 1).cpu().contiguous(),
        "label": torch.tensor([clip.label for clip in clips]),
        "frame_indices": torch.stack([clip.frame_indices for clip in clips]),
    }
    with replacing(path) as file:
        file.write(save(tensors, {"clips": json.dumps(list(_told(parts)))}))


def _told(parts: Sequence[Clip | Failure]) -> Iterator[dict[str, Any]]:
    failures: list[Failure] = []
    for part in parts:
        if isinstance(part, Failure):
            failures.append(part)
        else:
            yield {"video_id": part.video_id, "failures": failures}
            failures = []


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.safetensors"


def _depends_on(tuning: Tuning, keys: Sequence[ClipKey]) -> str:
    """A hash over all that f(x) depends on, beside the videos."""
    run = {n: v for n, v in tuning.run.model_dump(mode="json").items() if n not in FREE}
    all_of_it = [file_hash(tuning.config.start), run, tuning.precision, keys]
    return hashlib.sha256(json.dumps(all_of_it, sort_keys=True).encode()).hexdigest()[:16]


def _bytes_of_one(tuning: Tuning) -> int:
    """Bytes of one f(x), measured on a black clip."""
    run = tuning.run
    black = torch.zeros(1, 3, run.num_frames, run.image_size, run.image_size, dtype=torch.uint8)
    return extracted(tuning, Batch(black, torch.zeros(1), ["black"], torch.zeros(1))).nbytes

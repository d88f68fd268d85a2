"""mini-SSv2: a synthetic stand-in for Something-Something v2, in the same files, with the truth.

The label of a clip depends on how one object moves in a hand, among others that move by
themselves. Nothing here is a recording of people: every figure made from it says *synthetic*.

    stabn mini --out data/mini --size mini --seed 0

The biased variant has a fault that people can mend (see :mod:`stabn.data.mini.sign`):

    stabn mini --out data/mini_biased --variant biased
"""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np

from stabn import given
from stabn.data.mini import actions, scene, sign
from stabn.data.mini.scene import MiniVideo
from stabn.data.processes import in_processes
from stabn.data.ssv2 import class_text
from stabn.data.video import write_video
from stabn.errors import UserError

log = logging.getLogger(__name__)

VERSION = 2  # raised whenever a seed's pixels change
FPS = 12
TWO_PASS = 0.06  # share of files written as the real ones were, with alternate reference frames
SPLITS = ("train", "validation", "tuning")


@dataclass(frozen=True)
class Size:
    """How much of it to make: frame height in pixels, templates, clips a class and split."""

    height: int
    templates: tuple[str, ...]
    train: int
    validation: int
    tuning: int


def _by_text(templates: dict) -> tuple[str, ...]:
    return tuple(sorted(templates, key=class_text))  # ids follow the text, as in the real set


VARIANTS = {
    "plain": {
        "mini": Size(128, _by_text(actions.MINI), train=120, validation=40, tuning=20),
        "full": Size(224, _by_text(actions.FULL), train=400, validation=80, tuning=40),
    },
    "biased": {
        "mini": Size(128, _by_text(sign.PARTNER), train=240, validation=80, tuning=40),
        "full": Size(224, _by_text(sign.PARTNER), train=800, validation=160, tuning=80),
    },
}
SIZES = VARIANTS["plain"]


def example(
    template_index: int,
    seed: int | tuple[int, ...] = 0,
    *,
    split: str = "train",
    size: str | Size = "mini",
    shown: str | None = None,
) -> MiniVideo:
    """Draw one clip in memory; the same arguments give the same pixels.

    The clip of video ``i`` of a set made with ``seed`` is ``example(its class, (seed, i))``.

    Args:
        template_index: Class id.
        seed: One number or several. Equal seeds give different classes the same timing and much of
            the same scene; to draw independent clips, let the class be one of the numbers.
        split: Photographs of ``"train"`` are used nowhere else.
        size: A name in `SIZES`, or a size of one's own.
        shown: How the biased variant's sign goes with the label (`sign.SHOWN`); None for the
            plain set. With a sign or without, the scene is the same.
    """
    size = _size(size, "plain")
    numbers = (seed,) if isinstance(seed, int) else seed
    rng = np.random.default_rng([VERSION, *numbers])
    video = scene.render(rng, size.templates, template_index, split, size.height)
    if shown is None:
        return video
    rng = np.random.default_rng([VERSION, *numbers, 2])
    template = sign.class_shown(rng, video.template, shown)
    return video if template is None else sign.with_sign(rng, video, template)


def generate(
    out: Path | str,
    size: str | Size = "mini",
    seed: int = 0,
    jobs: int | None = None,
    variant: str = "plain",
) -> Path:
    """Write the whole set: whole or not at all, and only if it is not there yet.

    Args:
        out: Folder to make. Gets ``labels.json``, ``train.json``, ``validation.json``,
            ``tuning.json`` (the biased variant has those of `sign.SHOWN`),
            ``videos/<id>.webm``, ``truth/<id>.npz`` and ``mini.json``.
        size: ``"mini"`` (CPU), ``"full"`` (GPU), or a `Size`.
        seed: The same seed gives the same set.
        jobs: Processes; None for one a core.
        variant: ``"plain"``, or ``"biased"``: four classes, with a sign that gives them away.

    Returns:
        The folder.

    Raises:
        FileExistsError: ``out`` holds something else, which is left as it is.
        ValueError: an unknown variant or size, or a negative seed.
        VideoError, OSError: it cannot be written.
    """
    out, size = given.path(out), _size(size, variant)
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    identity = {"version": VERSION, "seed": seed, "size": asdict(size)}
    identity |= {} if variant == "plain" else {"variant": variant, "bias": asdict(sign.BIAS)}
    identity = json.loads(json.dumps(identity))
    if _is(out, identity):
        log.info("%s is there already", out)
        return out
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(
            f"{out} holds something other than this mini-SSv2 (version {VERSION}, seed {seed}); "
            "remove it or choose another --out"
        )
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        for folder in ("videos", "truth"):
            (part / folder).mkdir(parents=True)
        lists = {split: None for split in SPLITS} if variant == "plain" else sign.SHOWN
        entries = {name: [] for name in lists}
        orders = [(part, size, seed, video) for video in _videos(size, seed, lists)]
        for name, entry in in_processes(_make, orders, jobs, f"drawing {out}", "clip"):
            entries[name].append(entry)
        texts = {class_text(t): str(i) for i, t in enumerate(size.templates)}
        for name, content in {"labels": texts, **entries, "mini": identity}.items():
            (part / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        if out.exists():
            out.rmdir()  # empty, as checked above
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _size(size: str | Size, variant: str) -> Size:
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, not {variant!r}")
    if isinstance(size, Size):
        return size
    if size not in VARIANTS[variant]:
        raise ValueError(f"size must be one of {', '.join(VARIANTS[variant])}, not {size!r}")
    return VARIANTS[variant][size]


def _is(out: Path, identity: dict) -> bool:
    try:
        return given.read_json(out / "mini.json") == identity
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class _Video:
    """One file to be made; videos of one scene differ in the sign alone."""

    number: int  # says nothing about the class
    scene: int
    class_id: int
    split: str
    list: str
    shown: str | None


def _videos(size: Size, seed: int, lists: Mapping[str, str | None]) -> Iterator[_Video]:
    """Every video of the lists; a list belongs to the split that its name begins with."""
    number = 0
    for code, split in enumerate(SPLITS):
        class_ids = np.tile(np.arange(len(size.templates)), getattr(size, split))
        class_ids = np.random.default_rng([VERSION, seed, code]).permutation(class_ids)
        first = number + 1
        for name in lists:
            if name.split("_")[0] != split:
                continue
            for place, class_id in enumerate(class_ids):
                number += 1
                yield _Video(number, first + place, int(class_id), split, name, lists[name])


def _make(order: tuple[Path, Size, int, _Video]) -> tuple[str, dict]:
    """Draw and write one video and its truth; returns its list and its entry there."""
    folder, size, seed, video = order
    number, scene = video.number, (seed, video.scene)
    clip = example(video.class_id, scene, split=video.split, size=size, shown=video.shown)
    two_pass = np.random.default_rng([VERSION, *scene, 1]).random() < TWO_PASS
    write_video(folder / "videos" / f"{number}.webm", clip.frames, FPS, two_pass=two_pass)
    masks = {"actor": clip.actor, "hand": clip.hand}
    masks |= {} if video.shown is None else {"sign": clip.sign}
    np.savez_compressed(
        folder / "truth" / f"{number}.npz",
        levels=clip.levels,
        shape=np.array(clip.actor.shape),
        **{name: np.packbits(mask) for name, mask in masks.items()},
    )
    return video.list, {
        "id": str(number),
        "label": clip.caption,
        "template": clip.template,
        "placeholders": list(clip.placeholders),
    }


@click.command(help=__doc__.split("\n\n")[0])
@click.option("--out", required=True, type=given.path, help="folder to make")
@click.option("--variant", default="plain", show_default=True, type=click.Choice(list(VARIANTS)))
@click.option("--size", default="mini", show_default=True, type=click.Choice(list(SIZES)))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("--jobs", type=click.IntRange(min=1), help="processes (default: one a core)")
def command(out: Path, variant: str, size: str, seed: int, jobs: int | None) -> None:
    """Make the set."""
    try:
        generate(out, size, seed, jobs, variant)
    except (ChildProcessError, ValueError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        if error.errno is None:  # said by `generate`, in words
            raise UserError(str(error)) from error
        raise UserError(
            f"--out {out}: cannot be made ({error.strerror}); choose another"
        ) from error
    click.echo(f"mini-SSv2 is in {out}")

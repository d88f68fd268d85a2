"""EgoGestAR's test videos → pointing gestures with known timing, which training reads.

Real footage, constructed timing: people draw ten gestures into the air before a camera on their
head (github.com/varunj/EgoGestAR, folder testvideo/). The lists are five folds by recording place:
train_0 and validation_0 share none, and so on to 4.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from common import DataError, report, run, verdict
from gestures import BACK, GESTURES, VARIANTS, VERSION, Drawing, Source, drawings, find, gaps
from layouts import link, write_json
from places import FOLDS, Seen, folds, look, places
from timing import Timed, followed, idle, there_and_back

from stabn import given
from stabn.data.decoding import VideoError
from stabn.data.processes import in_processes
from stabn.data.ssv2 import class_text
from stabn.data.transforms import resize
from stabn.data.video import read_frames, write_video
from stabn.training.files import replacing

SIZE = 480, 640  # of the published videos
PUBLISHED = 237
LICENCE = (
    "EgoGestAR comes without a licence file; its README calls the set public. Work with it, and "
    "publish neither a clip nor a frame."
)


def draw(out: Path, short_side: int, order: tuple[Source, list[Drawing]]) -> None:
    """Make a source's clips and their truth, those that are not there yet."""
    source, wanted = order
    wanted = [one for one in wanted if not (out / "videos" / f"{one.name}.mp4").exists()]
    if not wanted:
        return
    scale = short_side / min(source.seen.size)
    size = [2 * round(side * scale / 2) for side in source.seen.size]  # H.264's are even
    gesture = played(source, source.seen.fps, size)
    for one in wanted:
        timed, more = in_time(np.random.default_rng(one.seed), gesture, one, source.seen.fps), {}
        if one.then is not None:
            more["then"] = np.array(class_text(GESTURES[one.then.gesture]))
        with replacing(out / "truth" / f"{one.name}.npz") as file:
            levels = (timed.moving == one.true).astype(np.float32)
            shape = np.array(timed.frames.shape[:3])
            np.savez_compressed(file, levels=levels, moving=timed.moving, shape=shape, **more)
        write_video(out / "videos" / f"{one.name}.mp4", timed.frames, source.seen.fps)


def played(source: Source, fps: float, size: Sequence[int]) -> np.ndarray:
    """A source's frames at another rate and size (height, width): uint8 (n, height, width, 3)."""
    n = max(1, round(source.seen.frames * fps / source.seen.fps))
    at = np.linspace(0, source.seen.frames - 1, n).round().astype(int)
    return resize(read_frames(source.path, at), *size).permute(0, 2, 3, 1).numpy()


def in_time(rng: np.random.Generator, gesture: np.ndarray, one: Drawing, fps: float) -> Timed:
    """A gesture (n, H, W, 3), of ``fps``, in the time that a drawing puts it in."""
    if one.pause is None:
        return idle(rng, gesture)
    if one.then is None:
        return there_and_back(rng, gesture, one.pause)
    return followed(rng, gesture, played(one.then, fps, gesture.shape[1:3]), one.pause)


def entry(name: str, gesture: str) -> dict[str, str]:
    """A video as a list has it."""
    return {"id": name, "label": class_text(GESTURES[gesture]), "template": GESTURES[gesture]}


def write_lists(
    out: Path, classes: Sequence[str], entries: Sequence[tuple[str, int, dict]]
) -> None:
    """The labels, and the lists of all folds from (list without its fold, fold, entry)."""
    texts = [class_text(GESTURES[gesture]) for gesture in classes]
    write_json(out / "labels.json", {text: str(k) for k, text in enumerate(texts)})
    for fold in range(FOLDS):
        for of in sorted({name for name, _, _ in entries}):
            mine = [e for name, k, e in entries if name == of and (k == fold) != (of == "train")]
            write_json(out / f"{of}_{fold}.json", mine)
            held = Counter(e["template"] for e in mine)
            print(f"{out}/{of}_{fold}.json: {len(mine)} clips of {len(held)} classes")


def sources(found: dict[tuple[str, int], Path], jobs: int | None) -> tuple[list[Source], list[str]]:
    """Every video with its place and fold; and what is wrong with those that cannot be read."""
    broken, seen = [], {}
    looks = in_processes(_look, [*found.values()], jobs, "looking", "video")
    for key, one in zip(found, looks, strict=True):
        if isinstance(one, str):
            broken.append(one)
        else:
            seen[key] = one
    place = places(np.stack([one.background for one in seen.values()])) if seen else []
    named = zip(seen.items(), place, folds(place), strict=True)
    return [Source(found[key], *key, one, at, fold) for (key, one), at, fold in named], broken


def _look(path: Path) -> Seen | str:
    try:
        return look(path)
    except VideoError as error:
        return str(error)


def make(out: Path, variant: str, seed: int, short_side: int, known: list[Source], jobs) -> None:
    """The folder of a variant; begun before and interrupted, it is finished.

    Raises:
        DataError: the folder holds another set.
    """
    identity = {
        "version": VERSION,
        "variant": variant,
        "seed": seed,
        "short_side": None if variant == "plain" else short_side,
        "videos": {
            one.path.stem: {
                "bytes": one.path.stat().st_size,
                "frames": one.seen.frames,
                "place": one.place,
                "fold": one.fold,
            }
            for one in known
        },
    }
    card = out / "egogestar.json"
    other = not card.exists() or given.read_json(card) != identity
    if other and out.exists() and any(out.iterdir()):
        raise DataError(
            f"{out}: holds something other than this set; remove it or choose another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_json(card, identity)
    used = [one for one in known if one.gesture in GESTURES]
    if variant == "plain":
        files = {f"{one.gesture}_{one.number}.mp4": one.path for one in used}
        link(out / "videos", files)
        named = [(one.fold, entry(f"{one.gesture}_{one.number}", one.gesture)) for one in used]
        write_lists(out, [*GESTURES], [(of, *n) for of in ("train", "validation") for n in named])
        return
    for folder in ("videos", "truth"):
        (out / folder).mkdir(exist_ok=True)
    orders = [(one, [*drawings(variant, one, seed, known)]) for one in used]
    for _ in in_processes(partial(draw, out, short_side), orders, jobs, "drawing", "video"):
        pass
    entries = [(d.list, one.fold, entry(d.name, d.gesture)) for one, of in orders for d in of]
    write_lists(out, [*(GESTURES if variant == "idle" else BACK)], entries)


def main(argv: Sequence[str] | None = None) -> int:
    """``python data_scripts/egogestar.py --videos EgoGestAR --out data/real_idle …``."""
    told = "\n".join(f"  {name}: {what}" for name, what in VARIANTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Variants:\n{told}\n\n{LICENCE}",
    )
    videos = "the fetched repository, or its testvideo/"
    parser.add_argument("--videos", type=given.path, required=True, help=videos)
    parser.add_argument("--out", type=given.path, required=True, help="folder to make")
    parser.add_argument("--variant", choices=VARIANTS, default="plain", help="(default: plain)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    side = "pixels of drawn clips (default: 128)"
    parser.add_argument("--short-side", type=int, default=128, help=side)
    parser.add_argument("--jobs", type=int, help="processes (default: one a core)")
    asked = parser.parse_args(argv)
    found, odd = find(asked.videos)
    known, broken = sources(found, asked.jobs)
    if not any(one.gesture in GESTURES for one in known):
        raise DataError(f"{asked.videos}: none of its videos can be read; fetch them again")
    make(asked.out, asked.variant, asked.seed, asked.short_side, known, asked.jobs)
    print(
        f"{len(known)} videos of the published {PUBLISHED}, {len({s.place for s in known})} places"
    )
    others = sum(one.gesture not in GESTURES for one in known)
    print(f"{others} of them unclassified: they help to tell places, and are in no list")
    print(LICENCE)
    copies = [f"{one.path.name}: {one.seen.size[1]}×{one.seen.size[0]}" for one in known
              if one.seen.size != SIZE]  # fmt: skip
    report("Names that are none of the set's", odd, most=5)
    report("Numbers that are left out", gaps([*found]))
    report("Copies, not as published (640×480)", copies, most=3)
    return verdict(report("Videos that cannot be read", broken))


if __name__ == "__main__":
    run(main)

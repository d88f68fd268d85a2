"""What a network does with constructed timing: does it see when, and does *when* move its answer?

``python -m studies.real runs/study/real_idle_gated_fold0_seed0`` measures a network on the clips
that it reports on, and enters it in its record under ``real``:

- *when*: how its own M_t, Grad-CAM over time, the motion between frames and the middle of the clip
  agree with the truth (temporal IoU, rank correlation), beside what other clips' truth earns;
- *levels*: what M_t is on the first swipe, where nothing moves, and on what follows;
- *where*: how much of M_s, and of Grad-CAM, lies on what moves, beside what a uniform map has there
  and what other clips' movement earns;
- *faithful*: how its answer comes and goes with the frames that each of them ranks first;
- *flips*: on two swipes in a row, what it answers if M_t is set by hand to the first half, and to
  the last. An attention that decides takes the answer with it.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stabn.attribution.evidence import Evidence
from stabn.attribution.faithfulness import deletion, insertion
from stabn.attribution.grad_cam import grad_cam
from stabn.attribution.intrinsic import intrinsic
from stabn.attribution.nulls import centre
from stabn.attribution.question import Question
from stabn.data.dataset import Batch
from stabn.data.mini.truth import read_truth
from stabn.data.transforms import normalise
from stabn.errors import UserError
from stabn.losses import answer
from stabn.metrics import mass_in_mask, rank_correlation, temporal_iou
from stabn.training.build import eval_loader
from stabn.training.checkpoint import CheckpointError, Trained, load
from stabn.training.config import RunConfig
from stabn.training.evaluate import attends
from stabn.training.process import Process, joined
from studies.measured import finished, keep

MOST = 0.9  # quantile of a frame's change: above it is what moves most
NOTHING, FIRST, LAST = 0, 1, 2  # as the set's truth has what moves in a frame
OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}


def motion(question: Question) -> Evidence:
    """How much each frame differs from the one before, as an attention; the first, as the second.

    It looks at no network: what it earns is there for everybody who sees that something moves.
    """
    moved = question.clip.diff(dim=1).abs().mean(dim=0)  # (T − 1, H, W)
    moved = torch.cat([moved[:1], moved]).cpu()
    return Evidence(moved.mean(dim=(1, 2)).numpy(), moved.numpy())


BESIDE = {"grad_cam": grad_cam, "motion": motion, "centre": centre}


def measure(trained: Trained, run: RunConfig, me: Process) -> dict[str, dict]:
    """What the module says, of the split that is reported on; ``flips`` of there-and-back alone.

    Args:
        trained: the network.
        run: says where the set is, and how its clips are read.
        me: one process.

    Returns:
        ``when`` {method: iou, iou_chance, iou_exchanged, rank, rank_exchanged}; ``where``
        {method: mass, chance, exchanged}, as :func:`where`; ``levels`` {first, nothing, last: mean
        M_t of those frames}, of a network that has one; ``faithful``
        {method: mean areas ``insertion`` and ``deletion`` in [0, 1]}, of the class answered;
        ``flips`` as :func:`flips`.
    """
    model = trained.model.to(me.device).eval()
    methods = {"own": intrinsic} | BESIDE if attends(run) else BESIDE
    truth, moves, evidence, maps = [], [], defaultdict(list), defaultdict(list)
    faithful, flipped = defaultdict(lambda: defaultdict(list)), defaultdict(list)
    for batch in eval_loader(run, run.report_split, me):
        clips = normalise(batch.video.to(me.device))
        with torch.no_grad():
            answers = answer(model(clips)).argmax(dim=1).tolist()
        levels, moving, then = seen(batch, run.data_root)
        truth += [*levels]
        moves += [*moving]
        for clip, target in zip(clips, answers, strict=True):
            question = Question(model, clip, target)
            for name, method in methods.items():
                found = method(question)
                evidence[name].append(found.temporal)
                maps[name].append(found.in_favour().spatial)
                for curve in (insertion, deletion):
                    area = curve(question, found, "time").area
                    faithful[name][curve.__name__].append(area)
        if attends(run) and (moving == LAST).any():
            wanted = halves(trained.classes, batch.label, levels, moving, then)
            for name, values in flips(trained, clips, moving, *wanted).items():
                flipped[name] += values
    found = {
        "when": {name: _when(np.stack(of), np.stack(truth)) for name, of in evidence.items()},
        "where": {
            name: where(np.stack(maps[name]), np.stack(maps["motion"]), np.stack(moves) != NOTHING)
            for name in ("own", "grad_cam")
            if name in maps
        },
        "faithful": {
            name: {curve: float(np.mean(areas)) for curve, areas in curves.items()}
            for name, curves in faithful.items()
        },
    }
    if "own" in evidence:
        m_t, codes = np.stack(evidence["own"]), np.stack(moves)
        found["levels"] = {
            name: float(m_t[codes == code].mean())
            for name, code in (("first", FIRST), ("nothing", NOTHING), ("last", LAST))
            if (codes == code).any()
        }
    if flipped:
        found["flips"] = {name: float(np.mean(values)) for name, values in flipped.items()}
    return found


def seen(batch: Batch, root: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Of the frames that were sampled, the truth and what moves: (N, T) each.

    And the class of what follows the first swipe, of each clip; "" where that is its way back.
    """
    levels, moving, then = [], [], []
    for video_id, at in zip(batch.video_id, batch.frame_indices.numpy(), strict=True):
        levels.append(read_truth(root, video_id).levels[at])
        with np.load(Path(root) / "truth" / f"{video_id}.npz") as file:
            moving.append(file["moving"][at])
            then.append(str(file["then"]) if "then" in file else "")
    return np.stack(levels), np.stack(moving), then


def _when(attention: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    iou, rank = temporal_iou(attention, truth), rank_correlation(attention, truth, permutations=1)
    return {
        "iou": float(iou.value),
        "iou_chance": iou.chance,
        "iou_exchanged": iou.exchanged,
        "rank": rank.value,
        "rank_exchanged": rank.exchanged,
    }


def where(maps: np.ndarray, moved: np.ndarray, acting: np.ndarray) -> dict[str, float]:
    """How much of a map lies on the tenth of the places that change most, in frames of a gesture.

    Args:
        maps: (N, T, H′, W′), none negative.
        moved: (N, T, H, W), how much each place differs from the frame before.
        acting: bool (N, T), where a gesture goes on.

    Returns:
        ``mass``, a share; ``chance``, that of a uniform map; ``exchanged``, the mass with the next
        clip's movement in place of this one's.
    """
    masks = moved > np.quantile(moved, MOST, axis=(2, 3), keepdims=True)
    own = mass_in_mask(maps, masks, active=acting)
    others = mass_in_mask(maps, np.roll(masks, 1, axis=0), active=acting)
    return {"mass": own.value, "chance": own.chance, "exchanged": others.value}


def halves(
    classes: Sequence[str],
    labels: Tensor,
    levels: np.ndarray,
    moving: np.ndarray,
    then: Sequence[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Which classes the first and the last half of each clip show: int64 (N,) each."""
    other, label = opposites(classes), labels.numpy()
    named_first = (levels == (moving == FIRST)).all(axis=1)  # else named after the last half
    first = np.where(named_first, label, other[label])
    last = [classes.index(text) if text else other[k] for text, k in zip(then, first, strict=True)]
    return first, np.array(last)


@torch.no_grad()
def flips(
    trained: Trained, clips: Tensor, moving: np.ndarray, first: np.ndarray, last: np.ndarray
) -> dict[str, list[bool]]:
    """What is answered if M_t is 1 on one half of the clip by hand, and 0 elsewhere.

    Returns:
        For each clip: ``first``, whether M_t on the first half brings its class; ``last``, the
        same of the last half; ``both``, whether the answer goes with the hand both times;
        ``mirrored``, whether both times it is the other half's class; ``unmoved``, whether it is
        the same both times.
    """
    model = trained.model
    features, answers = model.features(clips), []
    for half in (FIRST, LAST):
        attention = torch.from_numpy((moving == half).astype(np.float32)).to(clips.device)
        logits = model.from_features(features, temporal_attention=attention).logits
        answers.append(logits.argmax(dim=1).cpu().numpy())
    there, back = answers  # (N,) each
    found = {
        "first": there == first,
        "last": back == last,
        "both": (there == first) & (back == last),
        "mirrored": (there == last) & (back == first),
        "unmoved": there == back,
    }
    return {name: values.tolist() for name, values in found.items()}


def opposites(classes: Sequence[str]) -> np.ndarray:
    """int64 (K,): the class of the opposite direction.

    Raises:
        CheckpointError: the classes are not the four swipes.
    """
    turned = [" ".join(OPPOSITE.get(word, word) for word in text.split()) for text in classes]
    if set(turned) != set(classes) or turned == [*classes]:
        raise CheckpointError(
            "the network knows other classes than four swipes; train on data made with "
            "data_scripts/egogestar.py --variant there_and_back"
        )
    return np.array([classes.index(text) for text in turned])


def measure_run(folder: Path) -> dict[str, dict]:
    """:func:`measure` of a finished training; kept under ``real`` in its record.

    Raises:
        CheckpointError: the run is not finished.
        AnnotationError, PreparationError, VideoError, FileNotFoundError: the set cannot be read.
    """
    finished(folder)
    with joined() as me:
        trained = load(folder / "best.pt")
        found = measure(trained, trained.config, me)
    keep(folder, real=found)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.real", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="folder of a run on a set with known timing")
    try:
        found = measure_run(parser.parse_args().folder)
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    for method, figures in found["when"].items():
        print(f"{method}: IoU {figures['iou']:.2f}, by chance {figures['iou_chance']:.2f}")
    for case, share in found.get("flips", {}).items():
        print(f"M_t by hand, {case}: {share:.0%} of the clips")


if __name__ == "__main__":
    main()

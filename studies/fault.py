"""What the misleading sign of the biased mini-SSv2 does to a network, and by which way.

``python -m studies.fault runs/mini_fault_finetune`` measures every arm of a fine-tuning, or the
one network of a training, and enters it in its record. The lists of validation show the same scenes
with another sign or with none, so one thing is changed at a time:

- *effect*: how far the partner's sign moves the answer from the clip's own class to the partner's,
  if both halves of the fusion see it, or only one (the other gets the same scene without a sign);
- *oracle*: how many answers are right if M_t is set to the truth. What people's edits could repair
  at once, without any training, is what the oracle gains.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stabn.data.dataset import Batch
from stabn.data.mini.sign import PARTNER
from stabn.data.mini.truth import read_truth
from stabn.data.ssv2 import class_text
from stabn.data.transforms import normalise
from stabn.errors import UserError
from stabn.models.st_abn import STABN
from stabn.training.build import eval_loader
from stabn.training.checkpoint import CheckpointError, Trained, load
from stabn.training.config import RunConfig
from stabn.training.process import Process, joined
from studies.measured import finished, keep

ALIGNED, SWAPPED, ABSENT = LISTS = tuple(
    f"validation_{form}" for form in ("aligned", "swapped", "absent")
)
# which half of the fusion sees the sign: (spatial, temporal)
HALVES = {"both": (True, True), "spatial": (True, False), "temporal": (False, True)}


class _Clips(NamedTuple):
    """One list's clips of one batch, as the network and the truth see them."""

    labels: Tensor  # int64 (N,)
    features: Tensor  # (N, C, T, H′, W′)
    levels: Tensor  # float32 (N, T)
    sign: Tensor  # bool (N, T): sampled frames that show a sign


@torch.no_grad()
def measure(trained: Trained, run: RunConfig, me: Process) -> dict[str, dict[str, float]]:
    """How a network takes the sign.

    Args:
        trained: an ST-ABN of the four classes.
        run: says where the biased set is, and how its clips are read.
        me: one process.

    Returns:
        ``effect`` {half: logits by which the sign moves the answer}, ``effect_truth`` the same with
        the truth as M_t; ``oracle`` {list: top-1 in [0, 1] with the truth as M_t}; ``m_t`` {sign,
        action, idle: mean M_t over such frames} of the swapped clips.
    """
    model = trained.model.to(me.device).eval()
    partner = partners(trained.classes)
    found: dict[tuple[str, str], list[Tensor]] = defaultdict(list)
    for batches in zip(*(eval_loader(run, name, me) for name in LISTS), strict=True):
        clips = {
            name: _seen(model, batch, run, me) for name, batch in zip(LISTS, batches, strict=True)
        }
        for name, its in clips.items():
            logits = model.from_features(its.features, temporal_attention=its.levels).logits
            found["oracle", name].append((logits.argmax(dim=1) == its.labels).float())
        swapped, absent = clips[SWAPPED], clips[ABSENT]
        own = model.from_features(swapped.features)
        m_t = own.temporal_attention
        found["m_t", "sign"].append(m_t[swapped.sign])
        found["m_t", "action"].append(m_t[swapped.levels == 1])
        found["m_t", "idle"].append(m_t[(swapped.levels == 0) & ~swapped.sign])
        for kind, weight in {"effect": m_t, "effect_truth": swapped.levels}.items():
            attention = (own.spatial_attention, weight)
            for half, seen in HALVES.items():
                moved = _margin(model, swapped, absent, seen, attention, partner)
                moved -= _margin(model, swapped, absent, (False, False), attention, partner)
                found[kind, half].append(moved[swapped.sign.any(dim=1)])
    means: dict[str, dict[str, float]] = defaultdict(dict)
    for (kind, name), parts in found.items():
        means[kind][name] = float(torch.cat(parts).mean())
    return dict(means)


def _seen(model: STABN, batch: Batch, run: RunConfig, me: Process) -> _Clips:
    at = batch.frame_indices.numpy()  # (N, T)
    truths = [read_truth(run.data_root, video_id) for video_id in batch.video_id]
    levels = np.stack([truth.levels[t] for truth, t in zip(truths, at, strict=True)])
    sign = np.stack([truth.sign[t].any(axis=(1, 2)) for truth, t in zip(truths, at, strict=True)])
    features = model.features(normalise(batch.video.to(me.device)))
    labels, levels, sign = (
        torch.as_tensor(values).to(me.device) for values in (batch.label, levels, sign)
    )
    return _Clips(labels, features, levels, sign)


def _margin(
    model: STABN,
    sign: _Clips,
    plain: _Clips,
    seen: tuple[bool, bool],
    attention: tuple[Tensor, Tensor],
    partner: Tensor,
) -> Tensor:
    """(N,): the partner's logit minus the own class's, if the named halves see the sign."""
    spatial, temporal = (
        model.fusion.halves((sign if sees else plain).features, *attention)[half]
        for half, sees in enumerate(seen)
    )
    logits = model.backbone.perception(model.fusion.join(spatial, temporal))
    rows = torch.arange(len(logits))
    return logits[rows, partner.to(logits.device)[sign.labels]] - logits[rows, sign.labels]


def partners(classes: tuple[str, ...]) -> Tensor:
    """int64 (K,): the class that each class is confused with.

    Raises:
        CheckpointError: the classes are not those of the biased set.
    """
    pairs = {class_text(one): class_text(other) for one, other in PARTNER.items()}
    if set(classes) != set(pairs):
        raise CheckpointError(
            f"the network knows other classes than the biased set's ({', '.join(sorted(pairs))}); "
            f"train on data made with `stabn mini --variant biased`"
        )
    return torch.tensor([classes.index(pairs[text]) for text in classes])


def measure_arms(folder: Path) -> Mapping[str, dict[str, dict[str, float]]]:
    """:func:`measure` of ``before`` and of every arm; kept under ``fault`` in the record.

    A run that was not fine-tuned has one network, ``trained``.

    Raises:
        CheckpointError: the run is not finished, or of another data set.
        AnnotationError, PreparationError, VideoError, FileNotFoundError: the set cannot be read.
    """
    record = finished(folder)
    if "finetuning" in record:
        paths = {arm: folder / f"{arm}.pt" for arm in record["finetuning"]["arms"]}
        described = next(iter(paths.values()))  # the start may have been another fusion
        paths = {"before": Path(record["started_from"]["checkpoint"])} | paths
    else:
        described = folder / "best.pt"
        paths = {"trained": described}
    with joined() as me:
        run = load(described).config
        found = {arm: measure(load(path), run, me) for arm, path in paths.items()}
    keep(folder, fault=found)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.fault", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="folder of a run on the biased mini-SSv2")
    try:
        for arm, found in measure_arms(parser.parse_args().folder).items():
            effect = "  ".join(f"{half} {value:.2f}" for half, value in found["effect"].items())
            print(f"{arm}: the sign moves the answer by, in logits: {effect}")
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

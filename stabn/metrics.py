"""How right the answers are, and how well the attention agrees with the truth.

Every measure of attention comes with its chance level, and is built so that attention which says
nothing (the same everywhere) scores exactly that level.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Score:
    """A measure averaged over clips, beside what attention without knowledge would get.

    Attributes:
        value: mean of ``per_clip`` over the clips that could be measured; NaN where none could.
        chance: what uniform attention gets on the same clips.
        n: how many clips were measured.
        per_clip: float (N,), the order of the input; NaN where the truth says nothing to compare.
    """

    value: float
    chance: float
    n: int
    per_clip: np.ndarray


@dataclass(frozen=True)
class RankCorrelation(Score):
    """:func:`rank_correlation`'s score, with two answers to "could this be luck?".

    Attributes:
        interval: 95 % of the means when each clip's M_t is shuffled over its frames.
        exchanged: the mean when each clip's M_t meets the other clips' truth: what a general habit
            ("the middle of the clip matters") earns without looking at this video.
    """

    interval: tuple[float, float]
    exchanged: float


def _array(values: ArrayLike | torch.Tensor, dtype: type = np.float64) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values).astype(dtype)


def topk_accuracy(
    logits: ArrayLike | torch.Tensor, labels: ArrayLike | torch.Tensor, k: int
) -> float:
    """Share of clips, in [0, 1], whose class is among the k largest logits.

    Equal logits rank in the order of their class ids, so constant logits earn nothing extra. With
    fewer than k classes every clip counts.

    Args:
        logits: (N, K), or anything that orders the classes.
        labels: (N,) integers in [0, K).
        k: at least 1.

    Raises:
        ValueError: no clips, shapes or labels that do not fit, or NaN among the logits.
    """
    logits, labels = _array(logits), _array(labels, np.int64)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"topk_accuracy needs logits (N, K) and labels (N,) with N > 0, not {logits.shape} and "
            f"{labels.shape}"
        )
    if np.isnan(logits).any():
        raise ValueError("logits hold NaN: the training diverged, there is nothing to rank")
    classes = np.arange(logits.shape[1])
    if k < 1 or labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"k must be at least 1 and labels in [0, {len(classes)}), the classes")
    own = np.take_along_axis(logits, labels[:, None], axis=1)  # (N, 1)
    ahead = (logits > own) | ((logits == own) & (classes < labels[:, None]))  # (N, K)
    return float((ahead.sum(axis=1) < k).mean())


def confusion_counts(
    logits: ArrayLike | torch.Tensor, labels: ArrayLike | torch.Tensor
) -> np.ndarray:
    """How many clips of each true class (rows) were given each class (columns): int64 (K, K).

    Args:
        logits: (N, K); of equal ones the first counts.
        labels: (N,) in [0, K).
    """
    logits = _array(logits)
    counts = np.zeros((logits.shape[1],) * 2, dtype=np.int64)
    np.add.at(counts, (_array(labels, np.int64), logits.argmax(axis=1)), 1)
    return counts


def rank_correlation(
    m_t: ArrayLike | torch.Tensor,
    levels: ArrayLike | torch.Tensor,
    *,
    permutations: int = 1000,
    seed: int = 0,
) -> RankCorrelation:
    """Spearman's rank correlation (ties share their mean rank) of M_t with the truth, clip by clip.

    Chance is 0. A constant M_t orders nothing and scores 0; clips whose truth is constant are left
    out (``n`` says how many remain).

    Args:
        m_t: temporal attention, (N, T).
        levels: truth on any scale, (N, T), e.g. 0 irrelevant, 0.5 context, 1 motion.
        permutations: shuffles behind ``interval``.
        seed: of those shuffles.

    Raises:
        ValueError: shapes differ or are not (N, T).
    """
    m_t, levels = _array(m_t), _array(levels)
    if m_t.shape != levels.shape or m_t.ndim != 2:
        raise ValueError(f"M_t {m_t.shape} and levels {levels.shape} must be of one shape (N, T)")
    usable = np.ptp(levels, axis=1) > 0
    per_clip = np.full(len(m_t), np.nan)
    mine, truth = _standard_ranks(m_t[usable]), _standard_ranks(levels[usable])  # (n, T)
    n = len(mine)
    if n == 0:
        return RankCorrelation(np.nan, 0.0, 0, per_clip, (np.nan, np.nan), np.nan)
    per_clip[usable] = (mine * truth).sum(axis=1)
    rng = np.random.default_rng(seed)
    shuffled = [(rng.permuted(mine, axis=1) * truth).sum() / n for _ in range(permutations)]
    low, high = np.quantile(shuffled, [0.025, 0.975])
    every_pair = mine.sum(axis=0) @ truth.sum(axis=0)
    exchanged = (every_pair - (mine * truth).sum()) / (n * (n - 1)) if n > 1 else np.nan
    value = float(per_clip[usable].mean())
    return RankCorrelation(value, 0.0, n, per_clip, (float(low), float(high)), float(exchanged))


@dataclass(frozen=True)
class TemporalIoU(Score):
    """:func:`temporal_iou`'s score.

    Attributes:
        exchanged: the mean when each clip's M_t meets the other clips' truth.
    """

    exchanged: float


def temporal_iou(m_t: ArrayLike | torch.Tensor, levels: ArrayLike | torch.Tensor) -> TemporalIoU:
    """Intersection over union of the frames that are in motion and as many that M_t ranks first.

    As M_t may choose as many frames as the truth has, no threshold is needed, and any method is
    measured alike. Equal values at the edge share their places: the value is the mean over all
    choices among them, so a constant M_t earns exactly chance. Clips without motion, or with
    nothing else, are left out.

    Args:
        m_t: temporal attention, (N, T), on any scale.
        levels: truth, (N, T); 1 is motion.

    Raises:
        ValueError: shapes differ or are not (N, T).
    """
    m_t, moving = _array(m_t), _array(levels) == 1
    if m_t.shape != moving.shape or m_t.ndim != 2:
        raise ValueError(f"M_t {m_t.shape} and levels {moving.shape} must be of one shape (N, T)")
    usable = np.flatnonzero(moving.any(axis=1) & ~moving.all(axis=1))
    n, per_clip = len(usable), np.full(len(m_t), np.nan)
    if n == 0:
        return TemporalIoU(np.nan, np.nan, 0, per_clip, np.nan)
    pairs = np.array([[_overlap(m_t[i], moving[j]) for j in usable] for i in usable])
    per_clip[usable] = np.diag(pairs)
    chance = np.mean([_overlap(np.zeros(moving.shape[1]), moving[j]) for j in usable])
    others = (pairs.sum() - np.trace(pairs)) / (n * (n - 1)) if n > 1 else np.nan
    return TemporalIoU(per_clip[usable].mean(), float(chance), n, per_clip, float(others))


def _overlap(m_t: np.ndarray, moving: np.ndarray) -> float:
    """IoU of one clip (T,), averaged over every choice among equal values at the edge."""
    k = int(moving.sum())
    edge = np.sort(m_t)[-k]
    sure, tied = m_t > edge, m_t == edge
    free, good = k - int(sure.sum()), int((tied & moving).sum())  # to choose; tied and in motion
    bad = int(tied.sum()) - good
    ways = [comb(good, hit) * comb(bad, free - hit) for hit in range(free + 1)]
    hits = int((sure & moving).sum()) + np.arange(free + 1)
    return float(np.average(hits / (2 * k - hits), weights=np.array(ways, dtype=float)))


def fixed_curve(levels: ArrayLike | torch.Tensor) -> RankCorrelation:
    """:func:`rank_correlation` of a curve that looks at no clip: the mean truth of the others.

    Args:
        levels: truth on any scale, (N, T), N at least 2.
    """
    levels = _array(levels)
    others = (levels.sum(axis=0) - levels) / (len(levels) - 1)  # (N, T)
    return rank_correlation(others, levels)


def beyond_habit(agreement: RankCorrelation, fixed: RankCorrelation) -> str:
    """What M_t's agreement shows, in words: above other clips' truth, and above a fixed curve?

    "Above" is by more than two standard errors of the mean over clips.

    Args:
        agreement: of M_t with the truth.
        fixed: :func:`fixed_curve` of the same truth.
    """

    def above(per_clip: np.ndarray) -> bool:
        differences = per_clip[np.isfinite(per_clip)]
        return differences.mean() > 2 * differences.std(ddof=1) / len(differences) ** 0.5

    if above(agreement.exchanged - agreement.per_clip):
        return (
            "M_t is below the truth of other clips: it agrees with theirs more than with its own."
        )
    if not above(agreement.per_clip - agreement.exchanged):
        return "M_t is not clearly above the truth of other clips: nothing but habit is shown."
    follows = "M_t is above the truth of other clips: it follows its own clip."
    if above(agreement.per_clip - fixed.per_clip):
        return f"{follows}\nIt is above a fixed curve too: it shows more of when than habit does."
    return f"{follows}\nIt is not clearly above a fixed curve: no more of when than habit is shown."


def _standard_ranks(rows: np.ndarray) -> np.ndarray:
    """Ranks of each row, centred and of length 1 (a constant row: zeros); products correlate."""
    ranks = pd.DataFrame(rows).rank(axis=1).to_numpy()  # equal values share their mean rank
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)


def pointing_game(
    maps: ArrayLike | torch.Tensor,
    masks: ArrayLike | torch.Tensor,
    *,
    active: ArrayLike | torch.Tensor | None = None,
    tolerance: float = 0.0,
) -> Score:
    """Does the peak of M_s lie on the object that matters? Mean over frames, then over clips.

    A cell of the map hits when its centre, put where bilinear upsampling puts it, is within
    ``tolerance`` pixels of the mask. Peaks of equal height share the point. Chance is the share of
    cells that hit, so without tolerance it is the mask's share of the area.

    Args:
        maps: M_s, (N, T, H′, W′) or (N, 1, T, H′, W′).
        masks: bool (N, T, H, W), the truth at the frames' resolution, cropped as the clip was.
        active: bool (N, T), the frames to judge (those with motion); None for all. Frames with an
            empty mask are never judged.
        tolerance: in pixels of the masks.

    Raises:
        ValueError: shapes that do not fit.
    """
    maps, masks, judged = _maps_and_masks(maps, masks, active)
    height, width = masks.shape[2:]
    rows = ((np.arange(maps.shape[2]) + 0.5) * height / maps.shape[2]).astype(int)
    columns = ((np.arange(maps.shape[3]) + 0.5) * width / maps.shape[3]).astype(int)
    if tolerance > 0:
        masks = np.stack([[_grown(frame, tolerance) for frame in clip] for clip in masks])
    hits = masks[:, :, rows][:, :, :, columns]  # (N, T, H′, W′)
    peaks = maps == maps.max(axis=(2, 3), keepdims=True)
    points = (hits & peaks).sum(axis=(2, 3)) / peaks.sum(axis=(2, 3))  # (N, T)
    return _over_clips(points, hits.mean(axis=(2, 3)), judged)


def _grown(mask: np.ndarray, tolerance: float) -> np.ndarray:
    """Everywhere within ``tolerance`` pixels of the mask."""
    from scipy import ndimage  # here, as training has no use for it

    return ndimage.distance_transform_edt(~mask) <= tolerance if mask.any() else mask


def mass_in_mask(
    maps: ArrayLike | torch.Tensor,
    masks: ArrayLike | torch.Tensor,
    *,
    active: ArrayLike | torch.Tensor | None = None,
) -> Score:
    """Share of M_s's sum that lies inside the mask. Mean over frames, then over clips.

    Each cell of the map counts by the part of its area the mask covers; an all-zero map counts as
    uniform. Chance is the mask's share of the area. Arguments and errors as in
    :func:`pointing_game`.
    """
    maps, masks, judged = _maps_and_masks(maps, masks, active)
    height, width = maps.shape[2:]
    pixels = torch.from_numpy(masks).float()  # (N, T, H, W)
    covered = torch.nn.functional.adaptive_avg_pool2d(pixels, (height, width)).double().numpy()
    total = maps.sum(axis=(2, 3))
    inside = np.divide(
        (maps * covered).sum(axis=(2, 3)), total, out=covered.mean(axis=(2, 3)), where=total > 0
    )
    return _over_clips(inside, covered.mean(axis=(2, 3)), judged)


def _maps_and_masks(maps, masks, active) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    maps, masks = _array(maps), _array(masks, bool)
    if maps.ndim == 5 and maps.shape[1] == 1:
        maps = maps[:, 0]  # (N, 1, T, H′, W′) → (N, T, H′, W′)
    if maps.ndim != 4 or masks.ndim != 4 or maps.shape[:2] != masks.shape[:2]:
        raise ValueError(
            f"maps {maps.shape} must be (N, T, H′, W′) and masks {masks.shape} (N, T, H, W)"
        )
    judged = masks.any(axis=(2, 3))
    if active is not None:
        active = _array(active, bool)
        if active.shape != judged.shape:
            raise ValueError(f"active {active.shape} must be (N, T) = {judged.shape}")
        judged &= active
    return maps, masks, judged


def _over_clips(values: np.ndarray, chance: np.ndarray, judged: np.ndarray) -> Score:
    """Mean over judged frames of each clip, then over the clips that have any."""
    frames = judged.sum(axis=1)
    measured = frames > 0
    n = int(measured.sum())
    if n == 0:
        return Score(np.nan, np.nan, 0, np.full(len(values), np.nan))
    per_clip = np.full(len(values), np.nan)
    per_clip[measured] = (values * judged).sum(axis=1)[measured] / frames[measured]
    level = ((chance * judged).sum(axis=1)[measured] / frames[measured]).mean()
    return Score(float(per_clip[measured].mean()), float(level), n, per_clip)

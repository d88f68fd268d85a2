"""What each measure is: a slow obvious version, an independent library, or a number by hand."""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import confusion_matrix

from stabn.metrics import (
    beyond_habit,
    confusion_counts,
    fixed_curve,
    mass_in_mask,
    pointing_game,
    rank_correlation,
    temporal_iou,
    topk_accuracy,
)


def slow_topk(logits, labels, k):
    hits = 0
    for row, label in zip(logits, labels, strict=True):
        order = sorted(range(len(row)), key=lambda c: (-row[c], c))
        hits += label in order[:k]
    return hits / len(labels)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_topk_equals_the_slow_version_ties_and_few_classes_included(k):
    rng = np.random.default_rng(k)
    for classes in (2, 3, 7):
        logits = rng.integers(0, 4, size=(60, classes)).astype(float)  # many ties
        labels = rng.integers(0, classes, size=60)
        assert topk_accuracy(logits, labels, k) == slow_topk(logits, labels, k)
        assert topk_accuracy(torch.tensor(logits), torch.tensor(labels), k) == slow_topk(
            logits, labels, k
        )


def test_topk_of_a_network_that_always_says_the_same_is_not_perfect():
    assert topk_accuracy(np.zeros((4, 4)), np.arange(4), 1) == 0.25


def test_topk_reads_half_precision_with_gradient():
    logits = torch.eye(3, dtype=torch.bfloat16, requires_grad=True)
    assert topk_accuracy(logits, torch.arange(3), 1) == 1.0


@pytest.mark.parametrize(
    ("logits", "labels", "k", "says"),
    [
        (np.array([[np.nan, 1.0]]), [0], 1, "diverged"),
        (np.zeros((0, 3)), [], 1, "N > 0"),
        (np.zeros((2, 3)), [0], 1, "labels"),
        (np.zeros((1, 3)), [3], 1, r"\[0, 3\)"),
        (np.zeros((1, 3)), [-1], 1, r"\[0, 3\)"),
        (np.zeros((1, 3)), [0], 0, "at least 1"),
    ],
)
def test_topk_refuses_what_it_cannot_rank(logits, labels, k, says):
    with pytest.raises(ValueError, match=says):
        topk_accuracy(logits, labels, k)


def test_rank_correlation_equals_scipys_with_ties():
    rng = np.random.default_rng(0)
    m_t = rng.random((20, 16)).round(1)  # ties on both sides
    levels = rng.choice([0, 0.5, 1], size=(20, 16))
    ours = rank_correlation(m_t, levels, permutations=10)
    theirs = [spearmanr(a, b).statistic for a, b in zip(m_t, levels, strict=True)]
    np.testing.assert_allclose(ours.per_clip, theirs)
    assert ours.value == pytest.approx(np.mean(theirs))
    assert (ours.chance, ours.n) == (0.0, 20)


def test_rank_correlation_exchanged_is_the_mean_over_all_other_clips():
    rng = np.random.default_rng(1)
    m_t, levels = rng.random((5, 8)), rng.random((5, 8))
    pairs = [spearmanr(m_t[i], levels[j]).statistic for i in range(5) for j in range(5) if i != j]
    assert rank_correlation(m_t, levels, permutations=1).exchanged == pytest.approx(np.mean(pairs))


def test_a_shared_habit_correlates_and_is_unmasked_by_exchanging():
    habit = np.tile([0, 0, 1, 1, 1, 0, 0, 0], (30, 1)) + 0.01 * np.arange(8)
    levels = np.tile([0, 0, 0.5, 1, 0.5, 0, 0, 0], (30, 1))
    score = rank_correlation(habit, levels)
    assert score.value > 0.7
    assert score.exchanged == pytest.approx(score.value)


def slow_iou(m_t: np.ndarray, moving: np.ndarray) -> float:
    """The mean over every choice of as many frames as move that leaves no better frame out."""
    k = moving.sum()
    choices = [set(c) for c in combinations(range(len(m_t)), k)]
    best = max(sum(m_t[list(c)]) for c in choices)
    truth = set(np.flatnonzero(moving))
    fair = [c for c in choices if np.isclose(sum(m_t[list(c)]), best)]
    return float(np.mean([len(c & truth) / len(c | truth) for c in fair]))


def test_temporal_iou_equals_every_choice_of_frames_with_ties():
    rng = np.random.default_rng(5)
    m_t, levels = rng.random((12, 7)).round(1), rng.choice([0, 0.5, 1], size=(12, 7))
    levels[0], levels[1] = 0.5, 1  # nothing moves, everything does
    score = temporal_iou(m_t, levels)
    own = [slow_iou(m_t[i], levels[i] == 1) for i in range(2, 12)]
    np.testing.assert_allclose(score.per_clip[2:], own)
    assert np.isnan(score.per_clip[:2]).all()
    assert (score.n, score.value) == (10, pytest.approx(np.mean(own)))
    others = [
        slow_iou(m_t[i], levels[j] == 1) for i in range(2, 12) for j in range(2, 12) if i != j
    ]
    assert score.exchanged == pytest.approx(np.mean(others))
    chance = [slow_iou(np.zeros(7), row == 1) for row in levels[2:]]
    assert score.chance == pytest.approx(np.mean(chance))


def test_temporal_iou_of_the_truth_is_one_and_of_a_constant_chance():
    levels = np.array([[0, 1, 1, 0.5], [1, 0, 0, 0]])
    assert temporal_iou(levels, levels).value == 1
    flat = temporal_iou(np.full((2, 4), 0.3), levels)
    assert flat.value == pytest.approx(flat.chance)
    assert flat.chance == pytest.approx((1 / 6 + 4 / 6 / 3 + 0 + 1 / 4) / 2)  # by hand
    assert temporal_iou(np.ones((1, 3)), np.zeros((1, 3))).n == 0
    with pytest.raises(ValueError, match="one shape"):
        temporal_iou(np.ones((1, 3)), np.zeros((1, 4)))


def test_a_fixed_curve_is_the_mean_truth_of_the_other_clips():
    levels = np.random.default_rng(3).choice([0, 0.5, 1], size=(6, 9))
    alone = [
        spearmanr(np.delete(levels, i, axis=0).mean(axis=0), levels[i]).statistic for i in range(6)
    ]
    np.testing.assert_allclose(fixed_curve(levels).per_clip, alone)


def test_words_tell_a_look_at_the_clip_from_a_habit():
    rng = np.random.default_rng(4)
    levels = np.zeros((60, 16))
    for row, begin in zip(levels, rng.integers(3, 9, 60), strict=True):
        row[begin : begin + 5] = 1  # about the middle, but not always at the same place
    noise = rng.normal(size=levels.shape)
    fixed = fixed_curve(levels)
    habit = np.tile(levels.mean(axis=0), (60, 1))
    looks = {"all": levels, "some": levels + noise, "none": habit}
    looks["against"] = -levels
    said = {how: beyond_habit(rank_correlation(m_t, levels), fixed) for how, m_t in looks.items()}
    assert "above a fixed curve too" in said["all"]
    assert "follows its own clip.\nIt is not clearly above a fixed curve" in said["some"]
    assert "nothing but habit" in said["none"]
    assert "below the truth of other clips" in said["against"]


def test_shuffled_attention_falls_inside_the_interval_and_the_truth_outside():
    rng = np.random.default_rng(2)
    levels = rng.choice([0, 0.5, 1], size=(50, 16))
    low, high = rank_correlation(levels, levels).interval
    assert low < 0 < high < 0.2
    inside = [rank_correlation(rng.random((50, 16)), levels, permutations=1).value for _ in "12345"]
    assert sum(low <= v <= high for v in inside) >= 3


def test_constant_attention_scores_zero_and_constant_truth_is_left_out():
    levels = np.array([[0, 0, 1, 1], [1, 1, 1, 1]])
    score = rank_correlation(np.full((2, 4), 0.5), levels, permutations=5)
    assert (score.value, score.n) == (0.0, 1)
    assert np.isnan(score.per_clip[1])
    nothing = rank_correlation(np.ones((1, 4)), np.ones((1, 4)))
    assert np.isnan(nothing.value)
    assert nothing.n == 0


def test_rank_correlation_refuses_other_shapes():
    with pytest.raises(ValueError, match="one shape"):
        rank_correlation(np.ones((2, 4)), np.ones((2, 5)))


def corner_masks(n=1, t=1, size=8):
    masks = np.zeros((n, t, size, size), bool)
    masks[..., : size // 2, : size // 2] = True  # a quarter of the area
    return masks


def test_pointing_by_hand():
    maps = np.zeros((2, 2, 4, 4))
    maps[0, 0, 1, 1] = 1  # inside the upper left quarter
    maps[0, 1, 3, 3] = 1  # outside
    maps[1, 0, 0, 0] = 1
    maps[1, 1, 1, 0] = 1
    score = pointing_game(maps, corner_masks(2, 2))
    np.testing.assert_array_equal(score.per_clip, [0.5, 1.0])
    assert (score.value, score.chance, score.n) == (0.75, 0.25, 2)


def test_uniform_attention_scores_exactly_chance():
    rng = np.random.default_rng(3)
    masks = rng.random((3, 4, 12, 12)) < 0.3
    for value in (0.0, 0.7):
        maps = np.full((3, 1, 4, 5, 5), value)
        for score in (pointing_game(maps, masks, tolerance=1), mass_in_mask(maps, masks)):
            assert score.value == pytest.approx(score.chance)
    assert mass_in_mask(maps, masks).chance == pytest.approx(masks.mean(), abs=0.02)


def test_pointing_equals_a_loop_over_cells_and_pixels():
    rng = np.random.default_rng(4)
    maps, masks = rng.random((2, 3, 3, 5)), rng.random((2, 3, 9, 15)) < 0.05
    for tolerance in (0.0, 2.0):
        expected = []
        for clip_map, clip_mask in zip(maps, masks, strict=True):
            points = []
            for m, mask in zip(clip_map, clip_mask, strict=True):
                if not mask.any():
                    continue
                r, c = np.unravel_index(m.argmax(), m.shape)
                y, x = r * 3 + 1, c * 3 + 1  # the pixel in the middle of a 3×3 cell
                near = min(np.hypot(y - i, x - j) for i, j in zip(*np.nonzero(mask), strict=True))
                points.append(near <= tolerance)
            expected.append(np.mean(points))
        score = pointing_game(maps, masks, tolerance=tolerance)
        np.testing.assert_allclose(score.per_clip, expected)


def test_tolerance_raises_the_chance_level_too():
    maps = np.random.default_rng(5).random((1, 1, 8, 8))
    assert (
        pointing_game(maps, corner_masks(), tolerance=2).chance
        > pointing_game(maps, corner_masks()).chance
    )


def test_only_active_frames_with_a_mask_are_judged():
    maps = np.zeros((2, 3, 4, 4))
    maps[:, 0, 0, 0] = 1  # right in frame 0, wrong in the others
    maps[:, 1:, 3, 3] = 1
    masks = corner_masks(2, 3)
    masks[0, 2] = False
    active = np.array([[True, False, True], [False, False, False]])
    for score in (
        pointing_game(maps, masks, active=active),
        mass_in_mask(maps, masks, active=active),
    ):
        assert (score.value, score.n) == (1.0, 1)
        assert np.isnan(score.per_clip[1])


def test_mass_by_hand_with_cells_partly_covered():
    maps = np.array([[[[3.0, 1.0]]]])  # one row of two cells
    masks = np.zeros((1, 1, 1, 4), bool)
    masks[..., :3] = True  # all of the left cell, half of the right
    score = mass_in_mask(torch.tensor(maps), torch.tensor(masks))
    assert score.value == pytest.approx((3 + 0.5) / 4)
    assert score.chance == pytest.approx(0.75)


def test_nothing_to_judge_is_nan_and_not_a_number_made_up():
    score = pointing_game(np.ones((1, 1, 2, 2)), np.zeros((1, 1, 4, 4), bool))
    assert np.isnan(score.value)
    assert np.isnan(score.chance)
    assert score.n == 0


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="masks"):
        pointing_game(np.ones((1, 2, 2, 2)), np.ones((1, 3, 4, 4), bool))
    with pytest.raises(ValueError, match="active"):
        mass_in_mask(np.ones((1, 2, 2, 2)), np.ones((1, 2, 4, 4), bool), active=np.ones((1, 3)))


def test_confusion_is_scikit_learns():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, 5)), rng.integers(0, 4, 200)  # none of the last class
    counts = confusion_counts(logits, labels)
    theirs = confusion_matrix(labels, logits.argmax(axis=1), labels=range(5))
    np.testing.assert_array_equal(counts, theirs)
    assert np.trace(counts) / 200 == topk_accuracy(logits, labels, 1)
    np.testing.assert_array_equal(confusion_counts(torch.tensor(logits), labels), theirs)

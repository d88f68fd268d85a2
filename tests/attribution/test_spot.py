"""Where the answer hangs on one known frame and place, every method's score is worked out by hand.

The spot is one of 4 · 3 · 3 = 36 places, so the class's logit is 72 / 36 = 2 for the clip, and
2 · 1/36 where the mean of the clip stands in the spot's place.
"""

import math
from itertools import product

import numpy as np
import pytest
import torch

from stabn.attribution import (
    METHODS,
    Evidence,
    Question,
    Unexplained,
    agreement,
    deletion,
    explained,
    insertion,
)
from stabn.attribution import question as questions
from tests.attribution.spot import CELLS, CLASS, PIXELS, SIDE, Spot, T, bright

AT = (2, 0, 1)
SEEN, HIDDEN = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-2 / 36))
OPTIONS = {
    "occlusion": {"cells": CELLS, "frames": 2},
    "rise": {"cells": CELLS, "frames": 1, "masks": 64},
    "random": {"cells": CELLS},
    "centre": {"cells": CELLS},
}


def question(at=AT, fill="mean") -> Question:
    return Question(Spot(*at), bright(*at), CLASS, fill)


def found(method: str, at=AT, **options) -> Evidence:
    return explained(method, question(at), **OPTIONS.get(method, {}) | options).evidence


def truth(at) -> tuple[np.ndarray, np.ndarray]:
    """Levels (1, T) and masks (T, H, W) of the spot."""
    levels, masks = np.zeros((1, T)), bright(*at)[0].numpy() > 0
    levels[0, at[0]] = 1
    return levels, masks


def scores(evidence: Evidence, at) -> tuple[float, float, float]:
    """Temporal IoU, pointing, mass in the mask; all 1 for an explanation that is right."""
    levels, masks = truth(at)
    found = agreement([evidence], levels, masks[None])
    return found.iou.value, found.pointing.value, found.mass.value


def test_occlusion_falls_by_what_the_spot_was_worth():
    evidence = found("occlusion")
    temporal, spatial = np.zeros(T), np.zeros((T, CELLS, CELLS))
    temporal[2] = SEEN - HIDDEN
    spatial[2:4, 0, 1] = SEEN - HIDDEN  # hidden for two frames together, 2 and 3
    np.testing.assert_allclose(evidence.temporal, temporal, atol=1e-6)
    np.testing.assert_allclose(evidence.spatial, spatial, atol=1e-6)
    assert scores(evidence, AT) == pytest.approx((1, 1, 1), abs=1e-5)


def test_grad_cam_is_the_detector_s_map_times_its_gradient():
    evidence = found("grad_cam")
    spatial = np.zeros((T, CELLS, CELLS))
    spatial[AT] = 72 / 36  # gradient of the logit at every place; the map is 1 at the spot
    np.testing.assert_allclose(evidence.spatial, spatial, rtol=1e-6)
    np.testing.assert_allclose(evidence.temporal, spatial.mean(axis=(1, 2)), rtol=1e-6)
    assert scores(evidence, AT) == (1, 1, 1)


def test_rise_in_time_is_the_gain_of_the_coins_that_kept_the_spot():
    draw = torch.Generator().manual_seed(3)
    coins = torch.cat([(torch.rand(16, T, 1, 1, generator=draw) < 0.5) for _ in range(4)])
    evidence = found("rise", seed=3)
    kept = coins[:, 2].float().mean().item()
    assert evidence.temporal[2] == pytest.approx((1 - kept) * (SEEN - HIDDEN), abs=1e-6)
    others = np.delete(evidence.temporal, 2)
    assert np.abs(others).max() < evidence.temporal[2] / 2


def test_rise_points_at_the_spot():
    evidence = found("rise", masks=256)
    iou, pointing, mass = scores(evidence, AT)
    assert (iou, pointing) == (1, 1)
    assert mass > 2 / CELLS**2  # twice chance: smooth masks spread what they find


def test_insertion_and_deletion_of_the_truth_by_hand():
    best = found("grad_cam")
    steps = [HIDDEN, *[SEEN] * T]
    rising = insertion(question(), best, "time", steps=T)
    falling = deletion(question(), best, "time", steps=T)
    np.testing.assert_allclose(rising.share, np.arange(T + 1) / T)
    np.testing.assert_allclose(rising.probability, steps, atol=1e-6)
    np.testing.assert_allclose(falling.probability, [SEEN, *[HIDDEN] * T], atol=1e-6)
    assert rising.area == pytest.approx((HIDDEN / 2 + 3 * SEEN + SEEN / 2) / T, abs=1e-6)
    for over, parts in (("space", CELLS**2), ("both", T * CELLS**2)):
        rising = insertion(question(), best, over, steps=parts)
        np.testing.assert_allclose(rising.probability[:1], HIDDEN, atol=1e-6)
        np.testing.assert_allclose(rising.probability[1:], SEEN, atol=1e-6)


def test_the_worst_explanation_inserts_the_spot_last():
    right = found("grad_cam")
    wrong = Evidence(-right.temporal, -right.spatial)
    curve = insertion(question(), wrong, "space", steps=CELLS**2)
    np.testing.assert_allclose(curve.probability[:-1], HIDDEN, atol=1e-6)
    assert curve.probability[-1] == pytest.approx(SEEN)


def test_a_still_fill_leaves_a_quarter_of_the_spot():
    ask = question(fill="still")  # the mean over four frames, of which one is bright
    without = ask(1 - torch.eye(T)[2].view(1, T, 1, 1)).item()
    assert without == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_curves_over_a_still_fill_begin_at_a_quarter_of_the_spot():
    best, still = found("grad_cam"), 1 / (1 + math.exp(-0.5))
    rising = insertion(question(fill="still"), best, "time", steps=T)
    falling = deletion(question(fill="still"), best, "time", steps=T)
    np.testing.assert_allclose(rising.probability, [still, *[SEEN] * T], atol=1e-6)
    np.testing.assert_allclose(falling.probability, [SEEN, *[still] * T], atol=1e-6)
    assert falling.area == pytest.approx((SEEN / 2 + 3 * still + still / 2) / T, abs=1e-6)


def test_null_explanations_score_chance_over_all_places():
    places = list(product(range(T), range(CELLS), range(CELLS)))
    chance = np.array([1 / T, 1 / CELLS**2, 1 / CELLS**2])
    middle = np.mean([scores(found("centre", at), at) for at in places], axis=0)
    np.testing.assert_allclose(middle, chance, atol=1e-6)
    drawn = [scores(found("random", at, seed=s), at) for at in places for s in range(20)]
    error = np.std(drawn, axis=0) / len(drawn) ** 0.5
    assert (np.abs(np.mean(drawn, axis=0) - chance) < 3 * error).all()


def test_costs_are_the_forward_passes_that_were_made():
    calls = []
    ask = question()
    ask.model.register_forward_hook(lambda _module, given, _out: calls.append(len(given[0])))
    for method, passes in {"occlusion": 1 + T + 2 * 9, "rise": 128, "random": 0}.items():
        calls.clear()
        cost = explained(method, ask, **OPTIONS[method])
        assert (cost.passes, sum(calls)) == (passes, passes)
        assert cost.seconds > 0
    calls.clear()
    assert explained("grad_cam", ask).passes == 3  # there, and back, which costs about two
    assert sum(calls) == 1


def test_large_clips_go_through_a_few_at_a_time_and_nothing_else_changes(monkeypatch):
    sizes = []
    ask = question()
    ask.model.register_forward_hook(lambda _module, given, _out: sizes.append(len(given[0])))
    keep = torch.rand(5, T, 1, 1, generator=torch.Generator().manual_seed(0))
    together = ask(keep)
    monkeypatch.setattr(questions, "VALUES", 2 * ask.clip.numel() + 1)
    torch.testing.assert_close(ask(keep), together)
    monkeypatch.setattr(questions, "VALUES", 1)
    torch.testing.assert_close(ask(keep), together)
    assert sizes == [5, 2, 2, 1, 1, 1, 1, 1, 1]


def test_all_give_a_value_for_each_frame_and_each_place():
    for method in METHODS.keys() - {"intrinsic"}:
        evidence = found(method)
        assert evidence.temporal.shape == (T,)
        assert evidence.spatial.shape == (T, CELLS, CELLS)
        assert evidence.temporal.dtype == evidence.spatial.dtype == np.float32


def test_what_a_network_has_not_is_said():
    with pytest.raises(Unexplained, match="this network has no attention"):
        found("intrinsic")
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * T * SIDE * SIDE, 2))
    with pytest.raises(Unexplained, match="use occlusion or rise"):
        explained("grad_cam", Question(flat, bright(*AT), CLASS))
    with pytest.raises(ValueError, match="mean, still"):
        question(fill="black")
    with pytest.raises(ValueError, match="one clip"):
        Question(Spot(*AT), bright(*AT)[None], CLASS)
    with pytest.raises(ValueError, match="time, space or both"):
        insertion(question(), found("random"), "colour")
    assert PIXELS * CELLS == SIDE

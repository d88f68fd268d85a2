"""Clips for several networks: chosen by rule, and what the pages say of them holds."""

from itertools import combinations

import pytest
import torch

from stabn.training.checkpoint import load_trained
from tools import live, live_scenes

pytestmark = pytest.mark.slow(15)


def test_with_all_weights_0_the_gated_network_gives_one_answer_and_the_papers_one_a_clip():
    """What the text beside chapter 6's figure says of its networks."""
    paper, gated = networks = [
        load_trained(run, checkpoint=arm) for run, arm in live.FIGURES["fusion"].values()
    ]
    clips = live_scenes.both_right(*networks)
    assert [clip.label for clip in clips] == [0, 1, 2, 3]
    assert all(live_scenes.is_right(one, clip) for one in networks for clip in clips)
    silent = [torch.zeros(paper.config.num_frames)]
    for network, differ in ((paper, True), (gated, False)):
        rows = torch.stack([live.answers(network, clip, silent)[1][1] for clip in clips])
        apart = [(one - other).abs().max() for one, other in combinations(rows, 2)]
        assert min(apart) > 0.05 if differ else max(apart) < 1e-6


def probabilities(network, clip, weights=None):
    """(K,), with these weights (T,) or the network's own."""
    return live.answers(network, clip, [] if weights is None else [weights])[1][-1]


def test_the_fault_pages_figure_shows_what_its_text_says():
    networks = [load_trained(run, checkpoint=arm) for run, arm in live.FIGURES["fault"].values()]
    before, _, left, _, closing = networks
    clips = live_scenes.mended_and_not(*networks)
    own, partner, absent, late_own, late_partner, _ = clips
    for clip, expected in (
        (own, [True, True, True]),
        (partner, [False, False, True]),
        (late_own, [True, True, True]),
        (late_partner, [False, False, False]),
    ):
        assert [live_scenes.is_right(one, clip) for one in (before, left, closing)] == expected
    assert {own.label, partner.label, absent.label} == {own.label}
    acting = torch.from_numpy(own.levels) == 1
    # the frames that are marked are those that the sign changes
    marked = [live_scenes.signs(clip, before.config) for clip in (own, partner, absent)]
    changed = (own.pixels != absent.pixels).flatten(2).any(dim=2).any(dim=0).tolist()
    assert marked == [changed, changed, [False] * len(changed)]
    assert (own.pixels[:, acting] == partner.pixels[:, acting]).all()
    assert (own.pixels != partner.pixels).any()
    # 1: the sign changes what the paper's way answers, and nothing of what the gate lets through
    assert (probabilities(left, own) - probabilities(left, partner)).abs().max() > 0.2
    assert (probabilities(closing, own) - probabilities(closing, partner)).abs().max() < 0.01
    # 2: neither taught weights nor none silence the sign in the paper's fusion
    taught = live.answers(left, partner, [])[0]
    for network in (before, left):
        for weights in (taught, torch.zeros_like(taught)):
            assert probabilities(network, partner, weights).argmax() != partner.label
    # 3: below the threshold nothing passes
    for network, shut in zip(networks, (False, False, False, True, True), strict=True):
        two = [probabilities(network, partner, torch.full_like(taught, w)) for w in (0.0, 0.3)]
        assert (two[0] - two[1]).abs().max() < 1e-6 if shut else not torch.allclose(*two, atol=0.01)
    # 4: an edit mends the second scene, whatever the sign
    edited = [
        probabilities(closing, c, torch.from_numpy(c.levels)) for c in (late_own, late_partner)
    ]
    assert all(found.argmax() == late_own.label for found in edited)
    assert (edited[0] - edited[1]).abs().max() < 0.01

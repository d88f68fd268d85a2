"""What chapter 19 says was found is what the committed records hold, read without the library."""

import json
from itertools import product

import numpy as np
import pytest

from stabn.training.checkpoint import REPOSITORY

GATING, AROUND = ("gated", "bilstm_before"), ("st_abn", "bilstm_after")
AFTER = ("grad_cam", "occlusion", "rise")
FOLDER = REPOSITORY / "book/results/together"


def explained(network: str) -> dict:
    """Of seed 0, the only one that the chapter speaks of."""
    path = FOLDER / f"together_{network}_seed0.json"
    return json.loads(path.read_text(encoding="utf-8"))["explained"]


RUN = sorted(
    path.stem.removeprefix("together_").removesuffix("_seed0")
    for path in FOLDER.glob("*_seed0.json")
)


def each(network: str, method: str, measure: str) -> np.ndarray:
    """Clips' figures: *when*, or insertion minus deletion, mean of both fills."""
    figures = explained(network)["methods"][method]
    if measure == "when":
        return np.array(figures["when"]["per_clip"], float)
    return np.mean([fill[measure]["gap"] for fill in figures["faithful"].values()], axis=0)


def sure(difference: np.ndarray) -> bool:
    """Whether a mean over clips is above two standard errors."""
    known = difference[np.isfinite(difference)]
    return known.mean() > 2 * known.std(ddof=1) / len(known) ** 0.5


def test_there_is_one_seed_of_each_network():
    assert not list(FOLDER.glob("*_seed[1-9]*.json"))


@pytest.mark.parametrize("measure", ["when", "time"])
def test_own_attention_is_as_good_as_grad_cam_where_it_gates_and_behind_elsewhere(measure):
    for network in GATING:
        gap = each(network, "grad_cam", measure) - each(network, "intrinsic", measure)
        assert not sure(gap)
        assert not sure(-gap)
    for network in AROUND:
        assert sure(each(network, "grad_cam", measure) - each(network, "intrinsic", measure))
        assert each(network, "intrinsic", "when").mean() < each(network, "centre", "when").mean()


def test_before_the_bi_lstm_other_clips_truth_earns_a_part_too():
    exchanged = {n: explained(n)["methods"]["intrinsic"]["when"]["exchanged"] for n in GATING}
    assert exchanged["bilstm_before"] > 0.2 > exchanged["gated"]


def test_the_truth_beats_another_clips_most_with_the_gate_and_is_not_seen_in_the_papers_fusion():
    gains = {}
    for network in (*GATING, *AROUND):
        when = explained(network)["edited"]["when"]
        gains[network] = np.subtract(*(when[whose]["per_clip"] for whose in ("truth", "other")))
        assert when["truth"]["probability"] < when["own"]["probability"]
    for network in ("bilstm_before", "bilstm_after", "st_abn"):
        assert sure(gains["gated"] - gains[network])
    assert sure(gains["bilstm_before"])
    assert sure(gains["bilstm_after"])
    assert not sure(gains["bilstm_before"] - gains["bilstm_after"])
    assert not sure(gains["st_abn"])


def test_over_places_occlusion_and_rise_lead_and_own_attention_is_no_better_than_the_centre():
    for network, fill in product(RUN, ("mean", "still")):
        methods = explained(network)["methods"]

        def gap(method: str, methods=methods, fill=fill) -> float:
            areas = methods[method]["faithful"][fill]["space"]
            return areas["insertion"] - areas["deletion"]

        behind = [gap(method) for method in methods if method not in ("occlusion", "rise")]
        assert min(gap("occlusion"), gap("rise")) > max(behind)
        for method in {"grad_cam", "intrinsic"} & set(methods):
            assert not sure(each(network, method, "space") - each(network, "centre", "space"))


def test_over_time_the_first_place_is_decided_in_four_networks_and_grad_cam_agrees_best_or_ties():
    decided = set()
    for network in RUN:
        methods = [method for method in AFTER if method in explained(network)["methods"]]
        means = {method: each(network, method, "time").mean() for method in methods}
        first, second, *_ = sorted(methods, key=means.get, reverse=True)
        if sure(each(network, first, "time") - each(network, second, "time")):
            decided.add((network, first))
        if "grad_cam" in methods:
            for method in explained(network)["methods"]:
                assert not sure(each(network, method, "when") - each(network, "grad_cam", "when"))
    others = ("convlstm", "bilstm_none", "bilstm_after", "cnn3d")
    assert decided == {(network, "rise") for network in others}
    blind = {name: each("bilstm_none", name, "when") for name in ("grad_cam", "centre")}
    assert blind["grad_cam"].mean() < blind["centre"].mean()


def test_the_3_d_cnn_learned_little_and_no_explanation_of_it_agrees_as_the_centre_does():
    records = {n: json.loads((FOLDER / f"together_{n}_seed0.json").read_text()) for n in RUN}
    right = {n: record["results"]["validation"]["top1"] for n, record in records.items()}
    assert min(right, key=right.get) == "cnn3d"
    assert 1 / 14 + 0.05 < right["cnn3d"] < 1 / 5
    assert explained("cnn3d")["parameters"] > explained("baseline")["parameters"]
    for method in ("occlusion", "rise"):
        assert sure(each("cnn3d", "centre", "when") - each("cnn3d", method, "when"))

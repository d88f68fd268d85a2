"""The tables of all networks on the same clips, from made-up records worked out by hand."""

import pytest
from bs4 import BeautifulSoup

from stabn.tables.glance import MISSING
from stabn.tables.html import NOTHING
from stabn.tables.rankings import (
    leaders_table,
    own_attention,
    ranked,
    rankings_table,
    same_order,
)
from stabn.tables.runs import TableError
from stabn.tables.together import (
    FILLS,
    MEASURES,
    METHODS,
    NETWORKS,
    OVERS,
    edits_table,
    methods_table,
    networks_table,
    study,
)
from tests.records import rows, write

CLIPS = (-0.0625, 0.0625, None, 0.0)  # how far from the mean each is; one that was not measured
FAR = 2 * 0.0625 / 3**0.5  # two standard errors of these: their sd is 0.0625


def around(value: float) -> list[float | None]:
    """Clips' figures of this mean."""
    return [None if far is None else value + far for far in CLIPS]


def judged(when: float, gaps: dict[str, tuple[float, float]] | None = None) -> dict:
    """One method's figures; the gaps in time alone, with the mean and the still fill."""
    gaps = {over: (0.0, 0.0) for over in OVERS} | (gaps or {})
    return {
        "when": {"value": when, "chance": 0.0, "exchanged": 0.1, "per_clip": around(when)},
        "iou": {"value": 0.5, "chance": 0.3, "exchanged": 0.35, "per_clip": around(0.5)},
        "pointing": {"value": 0.4, "chance": 0.2, "per_clip": around(0.4)},
        "mass": {"value": None, "chance": 0.25, "per_clip": [None] * 4},
        "passes": 213.0,
        "seconds": 2.5,
        "faithful": {
            fill: {
                over: {
                    **{"insertion": 0.5 + gaps[over][place], "deletion": 0.5},
                    "gap": around(gaps[over][place]),
                }
                for over in OVERS
            }
            for place, fill in enumerate(FILLS)
        },
    }


def record(seed: int, *, methods: dict, edited: dict | None = None, top1: float = 0.5) -> dict:
    """A finished and explained run's record, as far as these tables read it."""
    return {
        "name": f"together_seed{seed}",
        "seed": seed,
        "config": {"model": "st_abn", "report_split": "validation"},
        "results": {"validation": {"top1": top1}},
        "explained": {
            "clips": 4,
            "parameters": 63_344,
            "multiply_adds": 217_956_544,
            "step_seconds": 0.5,
            "methods": methods,
            "edited": edited or {},
        },
    }


def row(page: str, network: str) -> list[str]:
    """The first row of a network in a page's table."""
    return next(cells for cells in rows(page) if cells[0] == NETWORKS[network])


def test_without_a_record_each_network_has_its_dashes_and_its_command(tmp_path):
    page = networks_table(tmp_path)
    assert [cells[0] for cells in rows(page)[1:]] == [*NETWORKS.values()]
    assert [cells[1:] for cells in rows(page)[1:]] == [[f"– {k}"] * 4 for k in range(1, 9)]
    items = [item.get_text() for item in BeautifulSoup(page, "html.parser").select("li")]
    assert items == [f"NAME={network}" for network in NETWORKS]
    assert "python -m tools.build study:together_${NAME}_seed$s" in page
    for page in (
        methods_table("when", root=tmp_path),
        edits_table(tmp_path),
        rankings_table(tmp_path),
        leaders_table(tmp_path),
    ):
        assert page == NOTHING
    assert own_attention(tmp_path) == MISSING


def test_size_work_and_pace_stand_beside_accuracy_each_linked_to_its_record(tmp_path):
    for seed, top1 in ((0, 0.70), (1, 0.74)):
        where = f"book/results/together/together_gated_seed{seed}.json"
        write(tmp_path, where, record(seed, methods={}, top1=top1))
    page = networks_table(tmp_path)
    cells = row(page, "gated")
    assert cells[1].startswith("72.0 ± 2.8")  # sd of two: their difference by √2
    assert [cell.split()[0] for cell in cells[2:]] == ["63", "218", "500"]
    assert page.count("../book/results/together/together_gated_seed1.json") == 4
    assert page.count("<li>") == len(NETWORKS) - 1


def test_a_method_has_its_mean_over_seeds_and_what_stands_beside(tmp_path):
    for seed, when in ((0, 0.2), (1, 0.4)):
        found = record(seed, methods={"occlusion": judged(when)})
        write(tmp_path, f"book/results/together/together_st_abn_seed{seed}.json", found)
    in_order = [*METHODS]
    cells = row(methods_table("when", root=tmp_path), "st_abn")[1:]
    assert cells[in_order.index("occlusion")].startswith("0.30 ± 0.14")
    assert cells[in_order.index("occlusion")].endswith(f"± {FAR:.2f}other clips’ 0.10")
    assert cells[in_order.index("rise")] == "does not fit"
    assert row(methods_table("when", root=tmp_path), "cnn3d")[1:] == ["–"] * len(METHODS)
    by_hand = {"iou": "other clips’ 0.35", "pointing": "chance 0.20", "cost": "passes 213"}
    for measure, beside in by_hand.items():
        cell = row(methods_table(measure, root=tmp_path), "st_abn")[1 + in_order.index("occlusion")]
        assert cell.endswith(beside)
    assert methods_table("iou", "cost", root=tmp_path).count("<table") == 2
    cell = row(methods_table("mass", root=tmp_path), "st_abn")[1 + in_order.index("occlusion")]
    assert cell == "–"  # what could not be measured is no number


def test_insertion_minus_deletion_is_shown_apart_for_each_fill_and_axis(tmp_path):
    methods = {"rise": judged(0.0, {"time": (0.25, -0.125), "both": (0.5, 0.0)})}
    where = "book/results/together/together_baseline_seed0.json"
    write(tmp_path, where, record(0, methods=methods))
    place = 1 + [*METHODS].index("rise")
    found = {
        name: row(methods_table(name, root=tmp_path), "baseline")[place]
        for name in MEASURES
        if name.endswith(("_mean", "_still"))
    }
    assert found == {
        name: f"{value}± {FAR:.2f}"
        for name, value in {
            **{"time_mean": "0.25", "time_still": "−0.12", "space_mean": "0.00"},
            **{"space_still": "0.00", "both_mean": "0.50", "both_still": "0.00"},
        }.items()
    }


def test_edits_stand_in_rows_of_what_was_edited(tmp_path):
    own, truth = (
        {"top1": t, "probability": p, "moved": m} for t, p, m in ((0.5, 0.25, 0), (1, 0.75, 0.5))
    )
    other = {"top1": 0.0, "probability": 0.125, "moved": 0.375, "per_clip": [0.125, 0.125]}
    own["per_clip"], truth["per_clip"] = [0.25, 0.25], [0.5, 1.0]
    edited = {"when": {"own": own, "truth": truth, "other": other}}
    for network, has in (("bilstm_after", edited), ("cnn3d", {})):
        where = f"book/results/together/together_{network}_seed0.json"
        write(tmp_path, where, record(0, methods={}, edited=has))
    page = edits_table(tmp_path)
    numbers = ["50.0", "100.0", "0.0", "25.0", "75.0", "12.5", "50.0", "37.5"]
    knows = "+62.5 ± 50.0"  # 37.5 and 87.5 less: sd 50 / √2, so two errors of two clips are 50
    assert row(page, "bilstm_after")[1:] == ["over time", *numbers, knows]
    assert row(page, "cnn3d")[1:3] == ["has none", "–"]
    assert row(page, "st_abn")[1:3] == ["–", "–"]


def test_two_orders_agree_as_counted_pair_by_pair():
    """Of four methods' six pairs one is turned: (5 − 1) / 6."""
    one = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}
    assert same_order(one, one) == pytest.approx(1)
    assert same_order(one, {name: -value for name, value in one.items()}) == pytest.approx(-1)
    assert same_order(one, one | {"a": 2.5}) == pytest.approx(4 / 6)
    assert same_order(one | {"only here": 9.0}, one) == pytest.approx(1)
    assert same_order(one, dict.fromkeys(one, 0.0)) != same_order(one, one)  # NaN: no order


def test_the_order_is_compared_between_fills_in_a_seed_and_between_seeds(tmp_path):
    """Seed 0: over time both fills rank a > b > c. Seed 1: the still fill turns them round."""
    names, heights = ("grad_cam", "occlusion", "rise"), (0.375, 0.25, 0.125)
    for seed, still in ((0, heights), (1, heights[::-1]), (2, heights)):
        methods = {
            name: judged(when=-seed if name == "rise" else 0.5 + a, gaps={"time": (a, b)})
            for name, a, b in zip(names, heights, still, strict=True)
        }
        where = f"book/results/together/together_baseline_seed{seed}.json"
        write(tmp_path, where, record(seed, methods=methods))
    head, *body = rows(rankings_table(tmp_path))
    assert {cells[0] for cells in body} == {NETWORKS["baseline"]}
    of = {cells[1]: dict(zip(head[2:], cells[2:], strict=True)) for cells in body}
    fill, seeds, halves = head[2:]
    assert of["over time"][fill].startswith("0.33 ± 1.15")  # of 1, −1, 1
    assert of["over space"][fill] == of["over space"][halves] == "–"  # all alike there: no order
    assert of["when"][fill] == "–"
    assert of["when"][seeds] == "1.00least of 3: 1.00"
    assert of["over time"][seeds] == "1.00least of 1: 1.00"  # seed 1's mean of fills is flat
    assert of["over time"][halves] == "1.00"  # each clip is as far from each method's mean


def test_the_first_of_each_measure_is_named_with_its_mean_and_both_fills_apart(tmp_path):
    methods = {
        "occlusion": judged(0.4, {"time": (0.25, 0.0)}),
        "centre": judged(0.1, {"time": (0.0, 0.5)}),
    }
    for seed in (0, 1):
        where = f"book/results/together/together_st_abn_seed{seed}.json"
        write(tmp_path, where, record(seed, methods=methods))
    (head, *_), cells = rows(leaders_table(tmp_path)), row(leaders_table(tmp_path), "st_abn")
    of = dict(zip(head, cells, strict=True))
    assert of["When"] == "occlusion, 0.40 ± 0.00again in 100 %"
    assert of["Over time, mean fill"].startswith("occlusion, 0.25 ± 0.00")
    assert of["Over time, still fill"].startswith("centre, 0.50 ± 0.00")


def test_the_figure_has_the_means_of_both_fills_with_their_errors(tmp_path):
    methods = {"rise": judged(0.25, {"time": (0.25, -0.125)}), "random": judged(0.0)}
    where = "book/results/together/together_cnn3d_seed0.json"
    write(tmp_path, where, record(0, methods=methods))
    when, time, space = ranked(tmp_path).values()
    assert set(when) == {NETWORKS["cnn3d"]}
    assert when[NETWORKS["cnn3d"]]["RISE"] == pytest.approx((0.25, FAR))
    assert time[NETWORKS["cnn3d"]]["RISE"] == pytest.approx((0.0625, FAR))
    assert space[NETWORKS["cnn3d"]] == {
        METHODS[method]: pytest.approx((0, FAR)) for method in methods
    }


def test_own_attention_is_compared_clip_by_clip_and_within_its_error_is_neither(tmp_path):
    """The clips scatter alike for both methods, so a difference has no error at all."""
    when = {"when": {whose: {"per_clip": []} for whose in ("own", "truth", "other")}}
    for network, grad_cam, over in (("st_abn", 0.75, 0.5), ("gated", 0.5, 0.25)):
        methods = {
            "intrinsic": judged(0.5, {"time": (0.25, 0.25)}),
            "grad_cam": judged(grad_cam, {"time": (over, over)}),
        }
        where = f"book/results/together/together_{network}_seed0.json"
        write(tmp_path, where, record(0, methods=methods, edited=when))
    write(tmp_path, "book/results/together/together_cnn3d_seed0.json", record(0, methods={}))
    words = own_attention(tmp_path)
    both = "in 1 of 2, and less in 0 (ST-ABN +0.25, ST-ABN, gated +0.00)"
    assert f"than the network’s own attention {both}" in words
    assert f"over time) {both}" in words
    assert "1 seed a network" in words


def test_a_run_that_was_not_explained_is_left_out_and_a_damaged_one_is_named(tmp_path):
    where = "book/results/together/together_st_abn_seed0.json"
    whole = record(0, methods={})
    write(tmp_path, where, {k: v for k, v in whole.items() if k != "explained"})
    assert study(tmp_path)["st_abn"] == []
    write(tmp_path, where, whole | {"explained": {"methods": {}}})
    with pytest.raises(TableError, match="is no run record"):
        study(tmp_path)

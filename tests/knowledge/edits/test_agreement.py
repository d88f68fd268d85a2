"""Agreement and consensus equal their definitions, worked by hand and written out."""

import math
from datetime import UTC, datetime, timedelta
from itertools import permutations

import krippendorff
import numpy as np
import pytest

from stabn.knowledge.edits.agreement import agreement_table, alpha, consensus
from stabn.knowledge.edits.edit import EditError

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers, twelve
# units, values 1 to 5. As levels they are (value - 1) / 4: interval alpha does not notice.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


@pytest.fixture
def give(make_edit):
    """An edit from levels alone; keywords override."""

    def edit(video_id, annotator, levels, **values):
        attention = (0.9,) * len(levels)  # nobody leaves it at that
        return make_edit(video_id, annotator, levels=levels, attention=attention, **values)

    return edit


def random_edits(give, seed: int) -> list:
    rng = np.random.default_rng(seed)
    return [
        give(video_id, annotator, rng.choice([0, 0.5, 1, 0.3], n))
        for video_id, n in (("a", 5), ("b", 1), ("c", 9), ("d", 4))
        for annotator in ("Ada", "Bo", "Cy")
        if rng.random() < 0.8
    ]


def slow_alpha(edits) -> float:
    """The definition: observed over expected disagreement, pair by pair."""
    units: dict[tuple[str, int], list[float]] = {}
    for edit in edits:
        for frame, level in enumerate(edit.levels):
            units.setdefault((edit.video_id, frame), []).append(level)
    units = {unit: values for unit, values in units.items() if len(values) > 1}
    every = [value for values in units.values() for value in values]
    observed = sum(
        sum((a - b) ** 2 for a, b in permutations(values, 2)) / (len(values) - 1)
        for values in units.values()
    ) / len(every)
    expected = sum((a - b) ** 2 for a, b in permutations(every, 2))
    return 1 - observed / (expected / (len(every) * (len(every) - 1)))


class TestAlpha:
    def test_krippendorffs_own_example(self, give):
        """His interval alpha of these data is 0.849; each unit is a video of one frame here."""
        edits = [
            give(f"unit {unit}", f"observer {i}", [(value - 1) / 4])
            for i, values in enumerate(OBSERVERS)
            for unit, value in enumerate(values, start=1)
            if value is not None
        ]
        assert round(alpha(edits), 3) == 0.849

    def test_by_hand(self, give):
        """Frames (0, 0), (0.5, 1), (1, 1): D_o = 2·0.25/6 and D_e = 14.5/30."""
        edits = [give("a", "Ada", [0, 0.5, 1]), give("a", "Bo", [0, 1, 1])]
        assert alpha(edits) == pytest.approx(1 - (0.5 / 6) / (14.5 / 30))

    @pytest.mark.parametrize("seed", range(10))
    def test_the_definition_and_the_package(self, give, seed):
        edits = random_edits(give, seed)
        assert alpha(edits) == pytest.approx(slow_alpha(edits))
        names = sorted({edit.annotator for edit in edits})
        units = sorted({(e.video_id, t) for e in edits for t in range(e.frames)})
        table = np.full((len(names), len(units)), np.nan)
        for edit in edits:
            for frame, level in enumerate(edit.levels):
                place = names.index(edit.annotator), units.index((edit.video_id, frame))
                table[place] = level
        peer = krippendorff.alpha(table, level_of_measurement="interval")
        assert alpha(edits) == pytest.approx(peer)

    def test_the_ends_of_the_scale(self, give):
        rng = np.random.default_rng(0)
        a, b = rng.choice([0, 0.5, 1], (2, 5000))
        assert alpha([give("a", "Ada", a), give("a", "Bo", a)]) == 1
        assert abs(alpha([give("a", "Ada", a), give("a", "Bo", b)])) < 0.05
        assert alpha([give("a", "Ada", a), give("a", "Bo", 1 - a)]) < -0.9

    def test_thousands_of_different_levels(self, give):
        rng = np.random.default_rng(0)
        true = rng.random((50, 100))
        edits = [
            give(str(i), name, np.clip(row + rng.normal(0, 0.05, 100), 0, 1))
            for i, row in enumerate(true)
            for name in ("Ada", "Bo", "Cy")
        ]
        assert 0.9 < alpha(edits) < 1

    def test_nothing_to_compare(self, give, make_edit):
        assert math.isnan(alpha([]))
        assert math.isnan(alpha([give("a", "Ada", [0, 1]), give("b", "Bo", [0, 1])]))
        assert math.isnan(alpha([make_edit(), make_edit(annotator="Bo", verdict="bad_video")]))
        assert math.isnan(alpha([give("a", "Ada", [1, 1]), give("a", "Bo", [1, 1])]))

    def test_what_nobody_else_edited_does_not_count(self, give):
        both = [give("a", "Ada", [0, 0.5, 1]), give("a", "Bo", [0, 1, 1])]
        assert alpha([*both, give("b", "Ada", [0.25] * 50)]) == alpha(both)

    def test_of_revisions_the_latest_counts(self, give):
        first = datetime(2024, 5, 17, tzinfo=UTC)
        later = first + timedelta(seconds=1)
        bo = give("a", "Bo", [0, 1])
        new, old = give("a", "Ada", [0, 1], made=later), give("a", "Ada", [1, 0], made=first)
        assert alpha([old, new, bo]) == alpha([new, old, bo]) == 1


class TestConsensus:
    def test_median_of_each_frame(self, give):
        edits = [
            give("a", "Ada", [0, 0.5, 1, 0]),
            give("a", "Bo", [0, 1, 1, 0.5]),
            give("a", "Cy", [1, 1, 1, 1]),
            give("b", "Ada", [0.3]),
        ]
        agreed = consensus(edits)
        assert list(agreed) == ["a", "b"]
        assert agreed["a"].tolist() == [0, 1, 1, 0.5]
        assert agreed["b"].tolist() == [np.float32(0.3)]
        assert all(levels.dtype == np.float32 for levels in agreed.values())

    def test_two_meet_in_the_middle(self, give):
        edits = [give("a", "Ada", [0, 0.5]), give("a", "Bo", [1, 0.5])]
        assert consensus(edits)["a"].tolist() == [0.5, 0.5]

    @pytest.mark.parametrize(
        ("verdicts", "kept"),
        [
            (["edited"], True),
            (["cannot_tell"], False),
            (["edited", "bad_video"], True),
            (["edited", "bad_video", "cannot_tell"], False),
            (["edited", "edited", "cannot_tell"], True),
            (["nothing_to_correct"], False),
            (["edited", "cannot_tell", "bad_video", "nothing_to_correct", "open"], False),
        ],
    )
    def test_left_out_where_most_could_not_judge(self, make_edit, verdicts, kept):
        edits = [make_edit(annotator=f"{i}", verdict=v) for i, v in enumerate(verdicts)]
        assert ("a" in consensus(edits)) == kept

    def test_who_corrected_nothing_does_not_pull_the_median(self, give, make_edit):
        """Levels 0 by one and 1 by another, nothing to correct by three: 0.5, not the 0.9 shown."""
        made = [give("a", "Ada", [0, 1]), give("a", "Bo", [1, 1])]
        made += [give("a", name, [0.9, 0.9]) for name in ("Cy", "Di", "Ed")]
        assert {edit.verdict for edit in made[2:]} == {"nothing_to_correct"}
        assert consensus(made)["a"].tolist() == [0.5, 1]
        assert consensus(made[2:]) == {}
        assert alpha(made) == alpha(made[:2])
        assert agreement_table(made).equals(agreement_table(made[:2]))

    def test_a_verdict_replaces_ones_earlier_levels(self, make_edit):
        assert consensus([make_edit(), make_edit(verdict="bad_video")]) == {}

    def test_different_lengths(self, give):
        edits = [give("a", "Ada", [0, 1]), give("a", "Bo", [0, 1, 1])]
        with pytest.raises(EditError, match="video a: levels: given 2 and 3"):
            consensus(edits)


class TestTable:
    def test_a_row_for_each_pair_with_videos_in_common(self, give):
        edits = [
            give("a", "Cy", [0, 0.5, 1]),
            give("a", "Ada", [0, 1, 1]),
            give("b", "Ada", [1, 1]),
            give("b", "Bo", [0, 1]),
            give("c", "Cy", [0, 0]),
            give("c", "Ada", [0, 0.25]),
        ]
        table = agreement_table(edits)
        assert list(table) == ["first", "second", "videos", "alpha", "difference"]
        assert table[["first", "second", "videos"]].values.tolist() == [
            ["Ada", "Bo", 1],
            ["Ada", "Cy", 2],
        ]
        assert table.difference.tolist() == pytest.approx([1 / 2, 0.75 / 5])
        pair = [e for e in edits if e.annotator != "Bo" and e.video_id != "b"]
        assert table.alpha[1] == pytest.approx(slow_alpha(pair))

    def test_nobody_in_common(self, give):
        table = agreement_table([give("a", "Ada", [0]), give("b", "Bo", [0])])
        assert len(table) == 0
        assert "alpha" in table

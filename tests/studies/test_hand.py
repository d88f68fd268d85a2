"""The truth of hand-edited videos is the set's own, and nothing else of an edit changes."""

from dataclasses import replace
from datetime import UTC, datetime

from stabn.data.mini.truth import read_truth
from stabn.knowledge.edits.edit import Edit
from studies.hand import truths


def test_levels_are_the_sets_own_and_the_rest_is_the_edits(tiny_set):
    video_id = min(path.stem for path in (tiny_set / "truth").iterdir())
    levels = tuple(map(float, read_truth(tiny_set, video_id).levels))
    wrong = tuple(1 - level for level in levels)
    made = Edit(
        video_id=video_id,
        verdict="edited",
        levels=wrong,
        annotator="Ada",
        model="0123456789abcdef" * 4,
        attention=(0.25,) * len(levels),
        made=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=9.0,
    )
    unsure = replace(made, verdict="cannot_tell", levels=())
    (found,) = truths([made, unsure], tiny_set)
    assert found.levels == levels != wrong
    assert found.annotator != "Ada"
    assert replace(found, levels=wrong, annotator="Ada", seconds=9.0) == made

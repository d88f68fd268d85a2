"""The misleading sign: where it stands, what it gives away, and lists that differ in it alone."""

import json

import numpy as np
import pytest

from stabn.data import ssv2
from stabn.data.mini import actions
from stabn.data.mini.make import VARIANTS, Size, example, generate
from stabn.data.mini.sign import BIAS, DRIFT, PARTNER, SHOWN, class_shown, idle_frames
from stabn.data.mini.truth import has_truth, read_truth

TEMPLATES = VARIANTS["biased"]["mini"].templates
SMALL = Size(64, TEMPLATES, train=2, validation=1, tuning=1)
SCENES = [(class_id, (seed, class_id)) for class_id in range(len(TEMPLATES)) for seed in range(4)]


def drawn(class_id, seed, shown, height=64):
    return example(class_id, seed, size=Size(height, TEMPLATES, 1, 1, 1), shown=shown)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("biased") / "set"
    return generate(out, SMALL, seed=3, jobs=1, variant="biased")


def test_partners_are_mutual_and_every_class_has_a_drift_of_its_own():
    assert all(PARTNER[PARTNER[name]] == name != PARTNER[name] for name in PARTNER)
    assert set(PARTNER) == set(TEMPLATES) <= set(actions.MINI)
    assert len(set(DRIFT.values())) == len(DRIFT) == len(PARTNER)


@pytest.mark.parametrize("seed", range(20))
def test_idle_frames_are_far_from_all_levels(seed):
    rng = np.random.default_rng(seed)
    levels = (rng.random(rng.integers(2, 50)) < 0.05) * rng.choice([0.5, 1])
    slow = [
        all(levels[s] == 0 for s in range(len(levels)) if abs(s - t) <= BIAS.margin)
        for t in range(len(levels))
    ]
    if len(levels) > 2 * BIAS.margin:
        assert idle_frames(levels).tolist() == slow
    else:
        assert not idle_frames(levels).any()


def test_the_class_that_is_shown():
    rng = np.random.default_rng(0)
    for name in TEMPLATES:
        assert class_shown(rng, name, "own") == name
        assert class_shown(rng, name, "partner") == PARTNER[name]
        assert class_shown(rng, name, "none") is None
    mostly = [class_shown(rng, TEMPLATES[0], "mostly") for _ in range(4000)]
    assert set(mostly) == {TEMPLATES[0], PARTNER[TEMPLATES[0]]}
    share = np.mean([name == TEMPLATES[0] for name in mostly])
    assert abs(share - BIAS.own) < 4 * np.sqrt(BIAS.own * (1 - BIAS.own) / len(mostly))


@pytest.mark.parametrize(("class_id", "seed"), SCENES)
def test_nothing_but_the_sign_differs_and_it_stands_in_idle_frames_only(class_id, seed):
    plain, signed = (drawn(class_id, seed, shown) for shown in ("none", "own"))
    assert np.array_equal(plain.frames, example(class_id, seed, size=SMALL).frames)
    differs = (plain.frames != signed.frames).any(axis=-1)
    assert not (differs & ~signed.sign).any()
    assert np.array_equal(signed.sign.any(axis=(1, 2)), idle_frames(signed.levels))
    assert not (signed.sign & (signed.actor | signed.hand)).any()
    assert np.array_equal(plain.levels, signed.levels)
    assert not plain.sign.any()


@pytest.mark.parametrize("class_id", range(len(TEMPLATES)))
def test_the_grating_drifts_the_way_of_the_class_that_is_shown(class_id):
    """Each way a frame's pattern could have gone is tried; the right one fits the next frame."""
    seed = next(s for c, s in SCENES if c == class_id and drawn(c, s, "own").sign.any())
    for shown, name in (("own", TEMPLATES[class_id]), ("partner", PARTNER[TEMPLATES[class_id]])):
        clip = drawn(class_id, seed, shown, height=512)  # 4 pixels a unit
        first = np.flatnonzero(clip.sign.any(axis=(1, 2)))[0]
        rows, columns = np.nonzero(clip.sign[first])
        middle = slice(int(rows.mean()) - 16, int(rows.mean()) + 17), int(columns.mean())
        window = (middle[0], slice(middle[1] - 16, middle[1] + 17))
        now, then = (clip.frames[t][..., 0].astype(float) for t in (first, first + 1))
        step = round(4 * BIAS.speed)
        ways = {0: (0, step), 180: (0, -step), 90: (step, 0), 270: (-step, 0)}
        errors = {
            angle: np.abs(np.roll(now, way, axis=(0, 1))[window] - then[window]).mean()
            for angle, way in ways.items()
        }
        assert min(errors, key=errors.get) == DRIFT[name], errors


def test_lists_of_one_split_show_the_same_scenes(made):
    classes = ssv2.read_classes(made)
    lists = {name: ssv2.read_split(made, name, classes) for name in SHOWN}
    ids = [record.video_id for records in lists.values() for record in records]
    assert len(set(ids)) == len(ids)
    for name, records in lists.items():
        split = name.split("_")[0]
        assert len(records) == getattr(SMALL, split) * len(TEMPLATES)
        first = next(records for other, records in lists.items() if other.startswith(split))
        for mine, theirs in zip(records, first, strict=True):
            assert (mine.class_id, mine.caption) == (theirs.class_id, theirs.caption)
            truths = [read_truth(made, record.video_id) for record in (mine, theirs)]
            assert np.array_equal(truths[0].levels, truths[1].levels)
    signs = {
        name: any(read_truth(made, record.video_id).sign.any() for record in records)
        for name, records in lists.items()
    }
    assert signs == {name: shown != "none" for name, shown in SHOWN.items()}


def test_the_biased_set_says_what_it_is(made, tmp_path):
    identity = json.loads((made / "mini.json").read_text())
    assert identity["variant"] == "biased"
    assert identity["bias"]["own"] == BIAS.own
    assert has_truth(made)
    with pytest.raises(FileExistsError, match="something other"):
        generate(made, SMALL, seed=3, jobs=1)  # the plain variant, into the same folder
    with pytest.raises(ValueError, match="variant must be one of plain, biased"):
        generate(tmp_path, SMALL, variant="crooked")

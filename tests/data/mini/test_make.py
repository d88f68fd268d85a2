"""mini-SSv2: same seed, same pixels; truth that fits the pictures; files like the real set's."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from stabn.data import ssv2, video
from stabn.data.mini import actions, textures, tracks
from stabn.data.mini import make as mini
from stabn.data.mini.make import SIZES, Size, example, generate
from stabn.data.mini.truth import has_truth, read_truth
from stabn.data.sampling import segment_indices
from stabn.metrics import rank_correlation

TEMPLATES = SIZES["mini"].templates
SMALL = Size(32, TEMPLATES, train=2, validation=1, tuning=1)
RNG = np.random.default_rng


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("mini") / "set", SMALL, seed=3, jobs=1)


def digest(clip) -> str:
    return hashlib.sha256(clip.frames.tobytes() + clip.levels.tobytes()).hexdigest()


@pytest.mark.parametrize("template", range(len(TEMPLATES)))
def test_the_same_seed_gives_the_same_pixels(template):
    assert digest(example(template, 5)) == digest(example(template, 5))
    assert digest(example(template, 5)) != digest(example(template, 6))


def test_a_seed_gives_these_pixels_as_long_as_the_version_is_this():
    """Raise mini.VERSION when this has to change: sets made before are then other sets."""
    pixels = hashlib.sha256()
    for template in range(len(TEMPLATES)):
        pixels.update(example(template, 0).frames.tobytes())
    assert (mini.VERSION, pixels.hexdigest()[:16]) == (2, "faa7b5d0abf8eb72")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_every_template_can_be_drawn_and_its_truth_fits(size, seed):
    for class_id, template in enumerate(SIZES[size].templates):
        clip = example(class_id, seed, size=Size(64, SIZES[size].templates, 1, 1, 1))
        n = len(clip.frames)
        assert clip.frames.dtype == np.uint8
        assert clip.frames.shape == (n, 64, 80, 3)
        assert clip.actor.shape == clip.hand.shape == (n, 64, 80)
        assert (clip.template, clip.class_id) == (template, class_id)
        assert not (clip.actor & clip.hand).any()
        assert set(clip.levels) <= {0, 0.5, 1}
        assert 5 <= (clip.levels == 1).sum() < n
        assert clip.hand[clip.levels == 1].any(axis=(1, 2)).all(), "the hand is seen acting"
        assert not clip.hand[clip.levels == 0].any(), "and is gone in idle frames"


def test_captions_fill_every_placeholder():
    for class_id, template in enumerate(TEMPLATES):
        clip = example(class_id, 1)
        assert "[" not in clip.caption
        assert len(clip.placeholders) == template.count("[something]")
        for words in clip.placeholders:
            assert words in clip.caption


def test_lengths_vary_and_some_are_shorter_than_a_clip_of_sixteen():
    lengths = np.array([tracks.draw_timing(RNG(i)).n for i in range(2000)])
    assert lengths.min() >= 10
    assert lengths.max() == 46
    assert 0.02 < (lengths < 16).mean() < 0.07


def test_the_action_fills_a_third_of_the_clip_and_lies_anywhere_in_it():
    timings = [tracks.draw_timing(RNG(i)) for i in range(2000)]
    shares = [(timing.levels == 1).mean() for timing in timings]
    assert 0.3 < np.mean(shares) < 0.37
    room = np.array([timing.n - (timing.stop - timing.start) for timing in timings])
    place = np.array([timing.start for timing in timings]) / room  # 0 first … 1 last it could be
    counts = np.histogram(place, bins=5, range=(0, 1))[0] / len(place)
    assert counts.min() > 0.15
    assert counts.max() < 0.25


def test_where_actions_usually_lie_says_little_about_a_clip():
    """One fixed curve, the other clips' mean truth, ranks a clip's frames far from perfectly."""
    drawn = (tracks.draw_timing(RNG(i)) for i in range(500))
    levels = np.stack([timing.levels[segment_indices(timing.n, 16)] for timing in drawn])
    others = (levels.sum(axis=0) - levels) / (len(levels) - 1)
    assert rank_correlation(others, levels).value < 0.5


def centre(path, n):
    x, y = (np.broadcast_to(v, n) for v in (path.x, path.y))
    return np.stack([x, y], axis=1)


@pytest.mark.parametrize(
    ("template", "direction"),
    [
        ("Moving [something] from left to right", (1, 0)),
        ("Moving [something] from right to left", (-1, 0)),
        ("Moving [something] up", (0, -1)),
        ("Moving [something] down", (0, 1)),
        ("Dropping [something]", (0, 1)),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_move_goes_the_way_its_text_says_during_the_action_only(template, direction, seed):
    timing = tracks.draw_timing(RNG(seed))
    path = centre(actions.act(RNG(seed), template, timing).actor, timing.n)
    moved = path[-1] - path[0]
    along = moved @ np.array(direction)
    assert along > 30
    assert along > 3 * abs(moved @ np.array(direction[::-1]))
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)  # step t leads from frame t to t + 1
    assert (steps[timing.levels[1:] < 1] == 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_texts_about_the_camera_decide_growth(seed):
    timing = tracks.draw_timing(RNG(seed))
    for template, grows in (("towards", True), ("away from", False)):
        action = actions.act(RNG(seed), f"Moving [something] {template} the camera", timing)
        assert (action.actor.scale[-1] > 1.4 * action.actor.scale[0]) == grows
        assert (action.actor.scale[0] > 1.4 * action.actor.scale[-1]) != grows


@pytest.mark.parametrize("seed", range(5))
def test_before_and_behind_differ_in_depth_alone(seed):
    timing = tracks.draw_timing(RNG(seed))
    front, behind = (
        actions.act(RNG(seed), f"Putting [something] {where} [something]", timing)
        for where in ("in front of", "behind")
    )
    np.testing.assert_array_equal(front.actor.x, behind.actor.x)
    assert front.actor.depth > front.partner.depth > behind.actor.depth


@pytest.mark.parametrize("seed", range(3))
def test_pretending_moves_the_hand_and_not_the_object(seed):
    timing = tracks.draw_timing(RNG(seed))
    action = actions.act(RNG(seed), "Pretending to pick [something] up", timing)
    assert np.ptp(centre(action.actor, timing.n), axis=0).max() == 0
    hand = centre(action.hand, timing.n)
    assert hand[timing.start, 1] - hand[timing.stop - 1, 1] > 20


@pytest.mark.parametrize("when", ["same", "other"])
def test_distractors_move_when_they_are_told_to(when):
    during = []
    for seed in range(60):
        timing = tracks.draw_timing(RNG(seed))
        path = tracks.distract(RNG(seed), timing, 80, 64, when)
        track = np.stack(
            [np.broadcast_to(v, timing.n) for v in (path.x, path.y, path.scale, path.angle)]
        )
        moving = np.abs(np.diff(track, axis=1)).sum(axis=0) > 0
        if moving.any():
            during.append((timing.levels[1:] == 1)[moving].mean())
    assert len(during) > 40
    assert np.mean(during) > 0.7 if when == "same" else np.max(during) == 0


def test_no_photograph_is_in_train_and_elsewhere():
    train, other = (textures.sources(split) for split in ("train", "validation"))
    assert not set(train) & set(other)
    assert textures.sources("tuning") == other
    for name in train | other:
        assert min(textures.photograph(name).size) >= 150


def test_the_files_are_read_by_the_real_sets_reader(made):
    classes = ssv2.read_classes(made)
    assert classes == tuple(ssv2.class_text(t) for t in TEMPLATES)
    assert sorted(classes) == list(classes)
    ids = []
    for split in mini.SPLITS:
        records = ssv2.read_split(made, split, classes)
        assert Counter(r.class_id for r in records) == dict.fromkeys(
            range(len(classes)), getattr(SMALL, split)
        )
        ids += [r.video_id for r in records]
    assert len(set(ids)) == len(ids) == len(list((made / "videos").iterdir()))
    left, right = (
        classes.index(f"Moving something from {s}") for s in ("left to right", "right to left")
    )
    assert ssv2.mirror_pairs(classes) == {left: right, right: left}


def test_a_video_and_its_truth_are_the_example_of_its_number(made):
    classes = ssv2.read_classes(made)
    for record in ssv2.read_split(made, "validation", classes)[:4]:
        clip = example(record.class_id, (3, int(record.video_id)), split="validation", size=SMALL)
        assert record.caption == clip.caption
        path = made / "videos" / f"{record.video_id}.webm"
        info = video.probe(path)
        assert (info.frames, info.height, info.width) == clip.frames.shape[:3]
        assert info.fps == pytest.approx(12)
        decoded = video.read_frames(path, range(info.frames))
        error = np.abs(decoded.astype(int) - clip.frames.astype(int)).mean()
        assert error < 12, "lossy, but the same picture"
        truth = read_truth(made, record.video_id)
        np.testing.assert_array_equal(truth.levels, clip.levels)
        np.testing.assert_array_equal(truth.actor, clip.actor)
        np.testing.assert_array_equal(truth.hand, clip.hand)


def test_a_set_that_is_there_is_left_alone(made):
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*")}
    generate(made, SMALL, seed=3, jobs=1)
    assert before == {p: p.stat().st_mtime_ns for p in made.rglob("*")}


def test_another_set_is_not_overwritten(made):
    with pytest.raises(FileExistsError, match="seed 4"):
        generate(made, SMALL, seed=4)
    assert json.loads((made / "mini.json").read_text())["seed"] == 3


def test_a_set_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    def full(path, *_args, **_kwargs):
        if path.stem == "3":
            raise video.VideoError(path, "No space left on device")
        path.write_bytes(b"")

    monkeypatch.setattr(mini, "write_video", full)
    with pytest.raises(video.VideoError, match="No space left"):
        generate(tmp_path / "set", SMALL, jobs=1)
    assert list(tmp_path.iterdir()) == []


def test_several_processes_write_the_same_set(tmp_path):
    size = Size(32, TEMPLATES[:2], train=2, validation=1, tuning=1)
    one, two = (generate(tmp_path / str(jobs), size, jobs=jobs) for jobs in (1, 2))
    files = [p.relative_to(one) for p in sorted(one.rglob("*.*"))]
    assert len(files) == 5 + 2 * 8
    for file in files:
        if file.suffix != ".npz":  # a zip carries its time of writing
            assert (one / file).read_bytes() == (two / file).read_bytes(), file


def test_truth_is_asked_for_by_name(made, tmp_path):
    assert has_truth(made)
    assert not has_truth(tmp_path)
    with pytest.raises(FileNotFoundError, match="only mini-SSv2"):
        read_truth(tmp_path, "1")


def test_an_unknown_size_names_the_known_ones():
    with pytest.raises(ValueError, match="mini, full"):
        example(0, size="huge")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ChildProcessError("a process was killed: ask for fewer jobs"), "ask for fewer jobs"),
        (
            PermissionError(13, "Permission denied"),
            r"--out .*\(Permission denied\); choose another",
        ),
        (FileExistsError("x holds something other; choose another --out"), "x holds something"),
    ],
)
def test_the_command_tells_the_remedy(stabn, tmp_path, monkeypatch, error, said):
    def failing(*arguments):
        raise error

    monkeypatch.setattr(mini, "generate", failing)
    with pytest.raises(SystemExit, match=f"^error: .*{said}"):
        stabn("mini", "--out", tmp_path / "set")

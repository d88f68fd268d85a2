"""Gestures get a known timing, and no place is in two folds; on a drawn look-alike of the set."""

import json
import shutil
from collections import Counter
from pathlib import Path

import egogestar
import gestures
import numpy as np
import pytest
import timing
from common import DataError
from gestures import BACK, GESTURES, Source, drawings, find, gaps
from places import folds, places

from stabn.data.mini.truth import has_truth, read_truth
from stabn.data.ssv2 import VideoFolder, class_text, mirror_pairs, read_classes, read_split
from stabn.data.video import read_frames, write_video

pytestmark = pytest.mark.slow(25)

PLACES = 12
OF_A_PLACE = ("left", "up", "tick")
HEIGHT, WIDTH, FRAMES = 48, 64, 8


def swipe(place: int, gesture: str) -> np.ndarray:
    """A white square that crosses a wall of the place's colours: uint8 (8, 48, 64, 3)."""
    wall = np.random.default_rng(place).integers(0, 200, (6, 8, 3), dtype=np.uint8)
    frames = wall.repeat(8, 0).repeat(8, 1)[None].repeat(FRAMES, 0)
    for t, frame in enumerate(frames):
        k = 5 * (t if gesture != "left" else FRAMES - 1 - t)
        x, y = (10, k) if gesture == "up" else (k + 8, 20)
        frame[y : y + 6, x : x + 6] = 255
    return frames


@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> Path:
    """Twelve places of three gestures; the videos of a place do not share a number."""
    folder = tmp_path_factory.mktemp("EgoGestAR") / "testvideo"
    folder.mkdir()
    for place in range(PLACES):
        for gesture in OF_A_PLACE:
            write_video(
                folder / f"testvideo_{gesture}_{place + 1}.mp4", swipe(place, gesture), fps=10
            )
    write_video(folder / "testvideo_unclassified_1.mp4", swipe(0, "tick"), fps=10)
    return folder.parent


def made(fetched: Path, out: Path, variant: str) -> Path:
    asked = ["--videos", fetched, "--out", out, "--variant", variant, "--short-side", 32]
    assert egogestar.main([*map(str, asked), "--jobs=1"]) == 0
    return out


@pytest.fixture(scope="module")
def idle(fetched, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gestures, "TRAIN", 1)
        return made(fetched, tmp_path_factory.mktemp("made") / "idle", "idle")


def listed(out: Path, name: str) -> dict[str, int]:
    """{id: class id} of a list."""
    return {r.video_id: r.class_id for r in read_split(out, name, read_classes(out))}


def number(video_id: str) -> int:
    return int(video_id.split("_")[1])


@pytest.mark.parametrize("kind", ["plain", "idle"])
def test_no_place_is_in_two_lists_of_a_fold(kind, fetched, idle, tmp_path):
    out = idle if kind == "idle" else made(fetched, tmp_path / "plain", "plain")
    tested, tests = [], [listed(out, f"validation_{fold}") for fold in range(5)]
    for fold in range(5):
        train, test = (listed(out, f"{name}_{fold}") for name in ("train", "validation"))
        assert not {number(v) for v in train} & {number(v) for v in test}  # a number is a place
        assert {number(v) for v in train} | {number(v) for v in test} == set(range(1, 13))
        tested += test
    assert len(tested) == len(set(tested)) == PLACES * len(OF_A_PLACE)
    assert has_truth(out) == (kind == "idle")
    for video_id in tested:
        gesture = video_id.split("_")[0]
        (class_id,) = (of[video_id] for of in tests if video_id in of)
        assert read_classes(out)[class_id] == class_text(GESTURES[gesture])


def test_a_plain_video_is_the_published_file_itself(fetched, tmp_path):
    out = made(fetched, tmp_path / "plain", "plain")
    source = fetched / "testvideo" / "testvideo_left_3.mp4"
    assert VideoFolder(out).path("left_3").resolve() == source.resolve()


def test_the_truth_of_a_drawn_clip_is_where_the_square_moves(idle):
    """Stillness shakes by less than the square crosses: the picture tells the truth's frames."""
    videos = VideoFolder(idle)
    for video_id in ("left_3_0", "up_5_1"):
        n = videos.frames(video_id)
        truth = read_truth(idle, video_id)
        assert truth.levels.shape == (n,)
        assert truth.levels.sum() == FRAMES
        assert not truth.actor.any()
        frames = videos.read(video_id, np.arange(n)).astype(float)
        moved = np.abs(np.diff(frames, axis=0)).max(axis=(1, 2, 3)) > 100
        inside = (truth.levels[1:] == 1) & (truth.levels[:-1] == 1)
        assert (moved == inside).all()


def test_an_interrupted_set_is_finished_and_a_seed_repeats_its_clips(
    idle, fetched, tmp_path, monkeypatch
):
    monkeypatch.setattr(gestures, "TRAIN", 1)
    truths = [read_truth(idle, f"left_3_{k}").levels.tolist() for k in range(2)]
    assert truths[0] != truths[1]
    again = shutil.copytree(idle, tmp_path / "again")
    lost = [again / "videos" / f"{name}.mp4" for name in ("left_3_1", "tick_12_0")]
    for path in lost:
        path.unlink()
    (again / "train_0.json").unlink()
    made(fetched, again, "idle")
    for path in (*lost, again / "train_0.json"):
        assert path.read_bytes() == (idle / path.relative_to(again)).read_bytes()


def test_a_folder_of_something_else_is_left_alone(idle, fetched, tmp_path):
    with pytest.raises(DataError, match="something other than this set"):
        made(fetched, idle, "there_and_back")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(DataError, match="something other"):
        made(fetched, tmp_path / "mine", "plain")


# -- timing ------------------------------------------------------------------------------------


def test_idle_leaves_the_gesture_as_it_is_between_stillness_that_is_alive():
    gesture = swipe(3, "left")
    clip = timing.idle(np.random.default_rng(1), gesture)
    at = np.flatnonzero(clip.moving == timing.FIRST)
    assert (clip.frames[at] == gesture).all()
    assert (np.diff(at) == 1).all()
    assert at[0] > 0
    assert at[-1] < len(clip.frames) - 1
    before, after = clip.frames[: at[0]].astype(float), clip.frames[at[-1] + 1 :].astype(float)
    for still, like in ((before, gesture[0]), (after, gesture[-1])):
        assert np.abs(still - like).mean() < 10  # of walls whose blocks differ by 200
        assert np.abs(np.diff(still, axis=0)).mean() > 1 or len(still) == 1


@pytest.mark.parametrize("pause", timing.PAUSES)
def test_the_way_back_is_the_gesture_backwards_after_a_pause(pause):
    gesture = swipe(4, "up")
    low, high = timing.PAUSES[pause]
    for seed in range(20):
        clip = timing.there_and_back(np.random.default_rng(seed), gesture, pause)
        assert (clip.frames[:FRAMES] == gesture).all()
        assert (clip.frames[-FRAMES:] == gesture[::-1]).all()
        between = len(clip.frames) - 2 * FRAMES
        assert max(1, round(low * FRAMES)) <= between <= round(high * FRAMES)
        wanted = [1] * FRAMES + [0] * between + [2] * FRAMES
        assert clip.moving.tolist() == wanted


def test_a_held_camera_drifts_little_and_forgets():
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[20:28, 30:38] = 200
    clip = timing.held(np.random.default_rng(0), frame, 200).astype(float)[..., 0]
    y = (clip * np.arange(48)[:, None]).sum((1, 2)) / clip.sum((1, 2))
    assert y.std() > 0.05
    assert np.abs(y - y.mean()).max() < 0.05 * 48


# -- variants ----------------------------------------------------------------------------------


def source(gesture: str, n: int) -> Source:
    return Source(Path(f"testvideo_{gesture}_{n}.mp4"), gesture, n, None, 0, 0)


def test_the_class_is_the_first_direction_or_the_last_and_the_truth_goes_with_it():
    for gesture, back in BACK.items():
        first = [*drawings("there_and_back", source(gesture, 1), 0, [])]
        last = [*drawings("last", source(gesture, 1), 0, [])]
        assert {(d.gesture, d.true) for d in first} == {(gesture, timing.FIRST)}
        assert {(d.gesture, d.true) for d in last} == {(back, timing.LAST)}
        assert [d.seed for d in first] == [d.seed for d in last]  # the same clips, another question
        assert Counter(d.list for d in first) == {"train": 3, "validation": 1}
    assert not [*drawings("there_and_back", source("star", 1), 0, [])]
    assert len([*drawings("idle", source("star", 1), 0, [])]) == 4


def test_the_pause_tells_the_class_in_training_and_lies_in_the_swapped_list():
    for gesture in BACK:
        own = "long" if gesture in ("left", "up") else "short"
        pauses = {(d.list, d.pause): d.seed for d in drawings("pause", source(gesture, 1), 0, [])}
        other = {"long": "short", "short": "long"}[own]
        tested = {("validation_aligned", own), ("validation_swapped", other)}
        tested.add(("validation_absent", "any"))
        assert set(pauses) == tested | {("train", own)}
        assert len({pauses[name] for name in tested}) == 1  # the same clip but for the pause


def test_two_swipes_go_in_every_other_direction_and_stay_in_their_fold_and_place():
    known = [
        source(gesture, n)._replace(place=n % 4, fold=n % 2)
        for gesture in BACK
        for n in range(1, 13)
    ]
    for one in known:
        made = [*drawings("two", one, 0, known)]
        assert {(d.gesture, d.true) for d in made} == {(one.gesture, timing.FIRST)}
        trained = [d.then.gesture for d in made if d.list == "train"]
        assert sorted(trained) == sorted(set(BACK) - {one.gesture})
        assert {(d.then.place, d.then.fold) for d in made} == {(one.place, one.fold)}
    tested = Counter((d.gesture, d.then.gesture) for one in known
                     for d in drawings("two", one, 0, known) if d.list == "validation")  # fmt: skip
    assert set(tested.values()) == {4}  # all twelve pairs alike
    elsewhere = [one._replace(place=one.place + 4) for one in known[12:]]
    alone = [*drawings("two", known[0], 0, [known[0], *elsewhere])]
    assert {d.then.fold for d in alone} == {known[0].fold}  # of another place, not of another fold
    with pytest.raises(DataError, match="no up in its fold to follow it"):
        [*drawings("two", known[0], 0, known[:1])]


def test_the_shortcut_is_the_opposite_swipe_in_most_clips_to_train_on():
    gestures = [*BACK, "circlecc", "star"]
    known = [source(gesture, n)._replace(fold=n % 2) for gesture in gestures for n in range(1, 41)]
    seconds = Counter()
    for one in (one for one in known if one.gesture in BACK):
        made = {(d.list, d.then.gesture): d for d in drawings("shortcut", one, 0, known)}
        assert {(d.gesture, d.true, d.then.fold) for d in made.values()} == {
            (one.gesture, timing.FIRST, one.fold)
        }
        (second,) = (then for of, then in made if of == "validation_aligned")
        assert second == BACK[one.gesture]
        (second,) = (then for of, then in made if of == "validation_swapped")
        assert second in set(BACK) - {one.gesture, BACK[one.gesture]}
        (second,) = (then for of, then in made if of == "validation_absent")
        assert second in ("circlecc", "star")
        tested = [d.seed for (of, _), d in made.items() if of != "train"]
        assert len(tested) == 3
        assert len(set(tested)) == 1  # the same clip but for what follows
        drawn = [d for d in drawings("shortcut", one, 0, known) if d.list == "train"]
        seconds.update(d.then.gesture == BACK[one.gesture] for d in drawn)
    assert seconds[False] / seconds.total() == 0.1
    swipes = [one for one in known if one.gesture in BACK]
    with pytest.raises(DataError, match="no circle or other drawing in its fold to follow it"):
        [*drawings("shortcut", swipes[0], 0, swipes)]


def test_what_follows_is_the_other_video_at_the_first_ones_rate(tmp_path):
    for gesture, fps in (("left", 10), ("up", 20)):
        path = tmp_path / f"testvideo_{gesture}_1.mp4"
        write_video(path, swipe(0, gesture), fps)
    left, up = (
        source(path.stem.split("_")[1], 1)._replace(path=path, seen=egogestar.look(path))
        for path in sorted(tmp_path.glob("*.mp4"))
    )
    (tmp_path / "videos").mkdir()
    (tmp_path / "truth").mkdir()
    one = gestures.Drawing("a", "train", "left", "any", timing.FIRST, (1, 2), up)
    egogestar.draw(tmp_path, HEIGHT, (left, [one]))
    with np.load(tmp_path / "truth" / "a.npz") as file:
        moving, levels, then = file["moving"], file["levels"], str(file["then"])
    assert (levels == (moving == timing.FIRST)).all()
    assert (levels.sum(), (moving == timing.LAST).sum()) == (FRAMES, FRAMES // 2)
    assert then == "Swiping a finger up"
    shown = VideoFolder(tmp_path).read("a", np.arange(len(moving)))
    last = read_frames(up.path, np.array([0, 2, 5, 7]))
    assert np.abs(shown[moving == timing.LAST].astype(int) - last).mean() < 6  # encoded once more


def test_left_and_right_are_mirror_images_and_nothing_else(idle):
    classes = read_classes(idle)
    left, right = (classes.index(class_text(GESTURES[side])) for side in ("left", "right"))
    assert mirror_pairs(classes) == {left: right, right: left}


# -- what the folder may be --------------------------------------------------------------------


def test_places_are_the_walls_and_folds_take_them_whole():
    rng = np.random.default_rng(0)
    walls = rng.normal(0, 50, (12, 1, 20))
    shown = (walls + rng.normal(0, 1, (12, 5, 20))).reshape(60, 20)
    found = places(shown)
    assert len(set(found)) == 12
    assert all(len(set(found[5 * k : 5 * k + 5])) == 1 for k in range(12))
    of = folds(found)
    assert all(len(set(of[5 * k : 5 * k + 5])) == 1 for k in range(12))
    assert sorted(Counter(of).values()) == [10, 10, 10, 15, 15]
    assert folds([0, 0, 0, 1, 1, 2]) == [0, 0, 0, 1, 1, 2]


def test_what_is_missing_odd_broken_or_a_copy_is_said(fetched, tmp_path, capsys):
    folder = tmp_path / "testvideo"
    shutil.copytree(fetched / "testvideo", folder)
    (folder / "testvideo_left_5.mp4").unlink()
    (folder / "testvideo_up_2.mp4").write_bytes(b"not a video at all")
    (folder / "testvideo_wave_1.mp4").touch()
    asked = ["--videos", folder, "--out", tmp_path / "out", "--jobs", 1]
    assert egogestar.main([*map(str, asked)]) == 1  # a video that cannot be read
    said = capsys.readouterr().out
    assert "Names that are none of the set's: 1\n  testvideo_wave_1.mp4" in said
    assert "Videos that cannot be read: 1" in said
    assert "Numbers that are left out: 1\n  testvideo_left_5.mp4" in said
    assert "Copies, not as published (640×480): 35" in said
    assert "35 videos of the published 237" in said
    assert "1 of them unclassified" in said
    assert "without a licence file" in said
    card = json.loads((tmp_path / "out" / "egogestar.json").read_text())
    assert card["videos"].keys() == {p.stem for p in folder.iterdir()} - {
        "testvideo_up_2",
        "testvideo_wave_1",
    }


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder; git clone"):
        find(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no testvideo_left_1"):
        find(tmp_path)


def test_gaps_are_below_the_last_number_of_a_gesture():
    assert gaps([("left", 1), ("left", 4), ("up", 2)]) == [
        "testvideo_left_2.mp4",
        "testvideo_left_3.mp4",
        "testvideo_up_1.mp4",
    ]


def test_a_drawn_clip_is_what_its_source_shows(idle, fetched):
    """Beside the timing the script changes the size alone."""
    own = read_frames(fetched / "testvideo" / "testvideo_tick_7.mp4", [4])[0]
    at = np.flatnonzero(read_truth(idle, "tick_7_1").levels)[4]
    drawn = VideoFolder(idle).read("tick_7_1", [at])[0]
    assert drawn.shape == (32, 42, 3)
    assert abs(drawn.mean() - own.mean()) < 4

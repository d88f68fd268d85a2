"""Pretext clips move as their text says, are the same for a seed, and read like any video."""

import numpy as np
import pytest

from stabn.data import pretext, ssv2
from stabn.data.pretext import CLASSES, FRAMES, MOTIONS, TEMPLATES, PretextVideos

VIDEOS = PretextVideos(40, 50)


def middle(frames, dx=0, dy=0):
    """The middle of each frame, moved by whole pixels, standardised."""
    inner = frames[..., 10 + dy : 30 + dy, 12 + dx : 38 + dx, :].astype(float)
    return (inner - inner.mean()) / (inner.std() + 1e-6)


def test_records_go_through_the_classes_in_turn():
    records = pretext.records(2 * len(CLASSES) + 1)
    assert [r.class_id for r in records[: len(CLASSES)]] == list(range(len(CLASSES)))
    assert len({r.video_id for r in records}) == len(records)
    for record in records:
        assert ssv2.class_of_template(record.template, CLASSES) == record.class_id


def test_frames_can_be_read_in_any_order():
    record = pretext.records(3)[2]
    assert VIDEOS.frames(record.video_id) == FRAMES
    frames = VIDEOS.read(record.video_id, range(FRAMES))
    assert frames.shape == (FRAMES, 40, 50, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(VIDEOS.read(record.video_id, [7, 0, 7]), frames[[7, 0, 7]])


def test_clips_differ_by_number_split_and_seed():
    kinds = [
        VIDEOS.read("pretext-train-1", [5]),
        VIDEOS.read("pretext-train-14", [5]),
        VIDEOS.read("pretext-tuning-1", [5]),
        PretextVideos(40, 50, seed=1).read("pretext-train-1", [5]),
    ]
    for i, a in enumerate(kinds):
        for b in kinds[:i]:
            assert (a != b).any()


@pytest.mark.parametrize("k", [k for k, m in enumerate(MOTIONS.values()) if m[0] or m[1]])
def test_a_drift_is_undone_by_looking_the_way_it_went(k):
    """Of eight ways to shift a later frame's window, the class's own lines up best most often."""
    dx, dy, *_ = MOTIONS[TEMPLATES[k]]
    shifts = [(x, y) for x in (-3, 0, 3) for y in (-3, 0, 3) if (x, y) != (0, 0)]
    votes = np.zeros(len(shifts), int)
    for number in range(k, 10 * len(CLASSES), len(CLASSES)):
        frames = VIDEOS.read(f"pretext-train-{number}", range(4, 20))
        # the shift that fits best in some later frame, whatever the speed
        errors = [
            min(np.abs(middle(frames[0]) - middle(later, *shift)).mean() for later in frames[1:])
            for shift in shifts
        ]
        votes[int(np.argmin(errors))] += 1
    assert shifts[int(np.argmax(votes))] == (3 * dx, 3 * dy)


def test_a_still_picture_is_still():
    k = TEMPLATES.index("[A picture] lying still")
    frames = VIDEOS.read(f"pretext-train-{k}", range(FRAMES))
    assert (frames == frames[:1]).all()


def test_mirror_pairs_are_mirror_images():
    pairs = ssv2.mirror_pairs(CLASSES)
    for k, motion in enumerate(MOTIONS.values()):
        dx, dy, growth, turn = motion
        mirrored = list(MOTIONS.values())[pairs.get(k, k)]
        assert mirrored == (-dx, dy, growth, -turn)


def test_an_unknown_clip_is_named():
    with pytest.raises(KeyError, match="no pretext clip"):
        VIDEOS.read("220847", [0])

"""Sampling rules for every length of video, short ones above all."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from stabn.data.sampling import (
    interleaved_indices,
    offset_indices,
    second_indices,
    segment_indices,
    stride_indices,
    tsn_indices,
    two_clip_indices,
    views,
    window_indices,
)

LENGTHS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 45, 63, 64, 65, 100, 170, 1000]
FRAMES = [1, 2, 3, 8, 16, 32]
RULES = {
    "segments": segment_indices,
    "two_clip": two_clip_indices,
    "official_32": tsn_indices,
    "official_32x2": lambda n, frames, rng=None: stride_indices(n, frames, 2, rng),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("num_frames", FRAMES)
@pytest.mark.parametrize("n", LENGTHS)
def test_every_rule_gives_ordered_indices_inside_the_video(rule, n, num_frames):
    for rng in (None, np.random.default_rng(n), np.random.default_rng(n + 1)):
        clips = views(rule, n, num_frames, rng)
        assert clips.dtype == np.int64
        assert clips.shape == (2 if rule == "two_clip" else 1, num_frames)
        assert clips.min() >= 0
        assert clips.max() < n
        assert (np.diff(clips, axis=1) >= 0).all()


@pytest.mark.parametrize("rule", RULES)
def test_views_are_the_named_functions(rule):
    for n in LENGTHS:
        np.testing.assert_array_equal(views(rule, n, 16), RULES[rule](n, 16).reshape(-1, 16))
        drawn = RULES[rule](n, 16, np.random.default_rng(3))
        np.testing.assert_array_equal(
            views(rule, n, 16, np.random.default_rng(3)), drawn.reshape(-1, 16)
        )


@pytest.mark.parametrize("rule", ["segments", "two_clip", "official_32x2"])
def test_training_draws_and_evaluation_does_not(rule):
    rng = np.random.default_rng(0)
    drawn = {views(rule, 200, 16, rng).tobytes() for _ in range(20)}
    assert len(drawn) > 10
    assert len({views(rule, 200, 16).tobytes() for _ in range(3)}) == 1


@pytest.mark.parametrize("num_frames", FRAMES)
@pytest.mark.parametrize("n", LENGTHS)
def test_evaluation_takes_the_frame_on_screen_in_the_middle_of_each_segment(n, num_frames):
    seg = Fraction(n, num_frames)
    middles = [floor((i + Fraction(1, 2)) * seg) for i in range(num_frames)]
    assert segment_indices(n, num_frames).tolist() == middles
    if n >= num_frames:
        assert len(set(middles)) == num_frames  # no frame twice while there are enough
    else:
        assert set(middles) == set(range(n))  # a short video is seen whole


@pytest.mark.parametrize("num_frames", FRAMES)
@pytest.mark.parametrize("n", LENGTHS)
def test_training_draws_one_frame_from_each_segment(n, num_frames):
    seg = Fraction(n, num_frames)
    rng = np.random.default_rng(n)
    for _ in range(20):
        for i, k in enumerate(segment_indices(n, num_frames, rng).tolist()):
            assert floor(i * seg) <= k <= ceil((i + 1) * seg) - 1


def test_as_many_frames_as_segments_is_every_frame_once_in_training_too():
    rng = np.random.default_rng(0)
    for n in FRAMES:
        assert segment_indices(n, n, rng).tolist() == list(range(n))


@pytest.mark.parametrize("n", [5, 20, 45])
def test_training_shows_every_frame_equally_often(n):
    num_frames, draws = 16, 4000
    rng = np.random.default_rng(1)
    seen = sum(np.bincount(segment_indices(n, num_frames, rng), minlength=n) for _ in range(draws))
    expected = draws * num_frames / n
    # each draw adds T picks of at most unit variance in a frame's count of at most ceil(T / n) + 1
    assert np.abs(seen - expected).max() < 6 * np.sqrt(expected)


def test_a_draw_never_reaches_past_the_end():
    class AlmostOne:
        def random(self, size):
            return np.full(size, np.nextafter(1.0, 0.0))

    for n in range(1, 400):
        assert segment_indices(n, 32, AlmostOne()).max() == n - 1


@pytest.mark.parametrize("n", LENGTHS)
def test_middles_are_within_a_frame_of_pyslowfasts(n):
    seg = (n - 1) / 32
    theirs = [(round(seg * i) + round(seg * (i + 1))) // 2 for i in range(32)]
    assert np.abs(segment_indices(n, 32) - theirs).max() <= 1


@pytest.mark.parametrize("num_frames", FRAMES)
@pytest.mark.parametrize("n", LENGTHS)
def test_two_clips_come_from_the_two_halves(n, num_frames):
    for rng in (None, np.random.default_rng(n)):
        first, second = two_clip_indices(n, num_frames, rng)
        assert first.max() < ceil(n / 2)
        assert second.min() >= n // 2


@pytest.mark.parametrize("num_frames", FRAMES)
@pytest.mark.parametrize("n", [*range(1, 70), 100, 170, 1000])
def test_interleaved_clips_visit_every_frame_from_every_segment(n, num_frames):
    clips = interleaved_indices(n, num_frames)
    assert clips.shape == (ceil(n / num_frames), num_frames)
    assert set(clips.ravel().tolist()) == set(range(n))
    assert (np.diff(clips, axis=1) >= 0).all()
    seg = Fraction(n, num_frames)
    for clip in clips.tolist():  # each of them is a segment sample
        for i, k in enumerate(clip):
            assert floor(i * seg) <= k <= ceil((i + 1) * seg) - 1
    if n % num_frames == 0:  # whole segments: the j-th clip holds the j-th frame of each
        j_th = np.arange(num_frames) * (n // num_frames) + np.arange(len(clips))[:, None]
        np.testing.assert_array_equal(clips, j_th)
    if n <= num_frames:
        np.testing.assert_array_equal(clips, segment_indices(n, num_frames)[None])


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("n", LENGTHS)
def test_temporal_views_are_evenly_spaced_moments_of_every_segment(n, count):
    shares = [(view + Fraction(1, 2)) / count for view in range(count)]
    for parts in (8, 32):
        seg = Fraction(n, parts)
        by_hand = [[floor((i + share) * seg) for i in range(parts)] for share in shares]
        assert offset_indices(n, parts, count).tolist() == by_hand
        assert views("segments", n, parts, temporal=count).tolist() == by_hand
        halves = views("two_clip", n, parts // 2, temporal=count)
        assert halves.reshape(count, parts).tolist() == by_hand  # a pair of halves a view


def test_temporal_views_of_the_official_rules_by_hand():
    assert window_indices(12, 3, 2, 1).tolist() == [[3, 5, 7]]  # room for 7 more: the middle
    # the room's halves [0, 3½] and [3½, 7] have their middles at 1¾ and 5¼
    assert views("official_32x2", 12, 3, temporal=2).tolist() == [[1, 3, 5], [5, 7, 9]]
    assert views("official_32x2", 4, 3, temporal=2).tolist() == [[0, 2, 3], [0, 2, 3]]
    assert views("official_32", 12, 3, temporal=2).tolist() == [[1, 5, 9], [3, 7, 11]]
    assert views("official_32", 2, 3, temporal=2).tolist() == [[0, 0, 0]] * 2  # its fault is kept


def test_stride_by_hand():
    assert stride_indices(10, 4, 2).tolist() == [1, 3, 5, 7]  # room for 3 more: start in the middle
    assert stride_indices(7, 4, 2).tolist() == [0, 2, 4, 6]
    assert stride_indices(6, 4, 2).tolist() == [0, 2, 4, 5]  # too short: the last frame repeated
    assert stride_indices(1, 4, 2).tolist() == [0, 0, 0, 0]
    starts = {stride_indices(10, 4, 2, np.random.default_rng(s))[0] for s in range(100)}
    assert starts == {0, 1, 2, 3}


def test_the_tsn_rule_with_its_faults():
    rng = np.random.default_rng(0)
    assert tsn_indices(31, 32, rng).tolist() == [0] * 32  # n < T: one frame, 32 times
    assert tsn_indices(31, 32).tolist() == [0] * 32
    assert tsn_indices(63, 32, rng).tolist() == list(range(32))  # T ≤ n < 2T: never the rest
    assert tsn_indices(10, 3).tolist() == [1, 5, 8]
    drawn = np.stack([tsn_indices(70, 32, rng) for _ in range(200)])
    assert (drawn // 2 == np.arange(32)).all()  # avg = 2: one of two frames, up to frame 63
    assert (drawn % 2).std() > 0.4


def test_impossible_requests():
    for n, num_frames in ((0, 8), (8, 0), (-1, 8)):
        for rule in RULES:
            with pytest.raises(ValueError, match="at least one frame"):
                views(rule, n, num_frames)
        with pytest.raises(ValueError, match="at least one frame"):
            interleaved_indices(n, num_frames)
    with pytest.raises(ValueError, match="stride"):
        stride_indices(8, 8, 0)
    with pytest.raises(ValueError, match="'dense' is none of segments, two_clip"):
        views("dense", 8, 8)


@pytest.mark.parametrize("fps", [12, 25, Fraction(30000, 1001), 0.7])
@pytest.mark.parametrize("n", LENGTHS)
def test_one_frame_a_second_is_the_one_on_screen_when_the_second_begins(n, fps):
    """Frame k is on screen during [k / fps, (k + 1) / fps)."""
    found = second_indices(n, float(fps)).tolist()
    exact = Fraction(fps)
    on_screen = [floor(second * exact) for second in range(ceil(n / exact))]
    assert found == sorted({k for k in on_screen if k < n})
    assert found[0] == 0


def test_a_second_needs_a_rate():
    with pytest.raises(ValueError, match="frames per second must be above 0, not 0"):
        second_indices(5, 0.0)

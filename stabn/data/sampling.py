"""How many frames a video has → which of them to take.

Every function returns *source frame indices*: int64, 0-based, in the video's native frames.
``rng=None`` means evaluation: always the same frames. With a generator it means training: a
fresh draw at every call. No rule assumes that a video has at least T frames.
"""

from typing import Literal

import numpy as np
from numpy.random import Generator

Rule = Literal["segments", "two_clip", "official_32", "official_32x2"]


def segment_indices(n: int, num_frames: int, rng: Generator | None = None) -> np.ndarray:
    """One frame from each of T equal parts of the whole video.

    The video lasts n frames and frame k is on screen during [k, k + 1). Cut that time into T equal
    segments; evaluation takes the frame on screen in the middle of each, training the frame on
    screen at a moment drawn uniformly within each. Time, not frames, is cut, so the rule needs no
    case for a short video, and over many draws every frame is seen equally often. (PySlowFast's
    rule, seg = (n − 1) / T with rounded borders, shares each border frame between two neighbours
    and so draws it twice as often as the rest; its middles lie within one frame of these.)

    Args:
        n: Frames in the video, at least 1.
        num_frames: T, at least 1.
        rng: None for evaluation.

    Returns:
        int64 (T,), non-decreasing, in [0, n). For n = T each frame once.
    """
    _check(n, num_frames)
    segment = np.arange(num_frames)
    if rng is None:
        return (2 * segment + 1) * n // (2 * num_frames)  # floor((i + ½)·n / T), exactly
    moments = (segment + rng.random(num_frames)) * n / num_frames
    return np.minimum(moments.astype(np.int64), n - 1)  # rounding may reach n itself


def stride_indices(n: int, num_frames: int, stride: int, rng: Generator | None = None):
    """T frames at a fixed stride: one window of the video, its last frame repeated if too short.

    Evaluation centres the window, training draws its start.

    Returns:
        int64 (T,), non-decreasing, in [0, n).
    """
    if rng is None:
        return window_indices(n, num_frames, stride, 1)[0]
    start = int(rng.integers(_room(n, num_frames, stride) + 1))
    return np.minimum(start + stride * np.arange(num_frames), n - 1)


def window_indices(n: int, num_frames: int, stride: int, count: int) -> np.ndarray:
    """``count`` windows at a fixed stride, in the middle of equal parts of the room for a start.

    Returns:
        int64 (count, T), each row non-decreasing, in [0, n).
    """
    starts = (2 * np.arange(count) + 1) * _room(n, num_frames, stride) // (2 * count)
    return np.minimum(starts[:, None] + stride * np.arange(num_frames), n - 1)


def _room(n: int, num_frames: int, stride: int) -> int:
    """The last frame at which a window can start and still lie within the video, or 0."""
    _check(n, num_frames)
    if stride < 1:
        raise ValueError(f"stride must be at least 1, not {stride}")
    return max(0, n - 1 - (num_frames - 1) * stride)


def second_indices(n: int, fps: float) -> np.ndarray:
    """One frame a second: the one on screen when each second of the video begins.

    Args:
        n: Frames in the video, at least 1.
        fps: Frames per second, above 0.

    Returns:
        int64 (S,), in [0, n): frame floor(s·fps) for s = 0, 1, 2 …; S ≥ 1, whatever the length.
    """
    _check(n, 1)
    if not fps > 0:
        raise ValueError(f"frames per second must be above 0, not {fps}")
    indices = np.floor(np.arange(int(n / fps) + 1) * fps).astype(np.int64)
    return np.unique(indices[indices < n])


def two_clip_indices(n: int, num_frames: int, rng: Generator | None = None) -> np.ndarray:
    """Segment samples of the video's first and second half: the paper's "two sets of 32 frames".

    Returns:
        int64 (2, T), each row non-decreasing, in [0, n).
    """
    return segment_indices(n, 2 * num_frames, rng).reshape(2, num_frames)


def tsn_indices(n: int, num_frames: int, rng: Generator | None = None) -> np.ndarray:
    """The rule of TSN and TSM, with its known faults, as the official "32" configuration uses it.

    Training: with avg = n // T, frame i·avg plus a draw from [0, avg). So T ≤ n < 2T always gives
    the first T frames, undrawn, and the rest of the video is never seen (three quarters of
    Something-Something v2 at T = 32). Evaluation: the middle of T equal parts. **For n < T both
    give T copies of frame 0.** Kept faithfully, for comparison; use :func:`segment_indices`.

    Returns:
        int64 (T,), non-decreasing, in [0, n).
    """
    _check(n, num_frames)
    if n < num_frames:
        return np.zeros(num_frames, dtype=np.int64)
    if rng is None:
        return segment_indices(n, num_frames)
    average = n // num_frames
    return np.arange(num_frames) * average + rng.integers(average, size=num_frames)


def offset_indices(n: int, num_frames: int, count: int) -> np.ndarray:
    """Segment samples at ``count`` moments of every segment: evenly spaced, a clip for each.

    Clip v takes the frame on screen at (v + ½) / count of each segment: evaluation's segment rule
    with T·count segments, dealt out to the clips in turn. One clip is that rule itself; two take a
    quarter and three quarters of each segment.

    Returns:
        int64 (count, T), each row non-decreasing, in [0, n).
    """
    return segment_indices(n, num_frames * count).reshape(num_frames, count).T.copy()


def interleaved_indices(n: int, num_frames: int) -> np.ndarray:
    """As few of :func:`offset_indices`' clips as together visit every frame: J = ceil(n / T).

    M_t depends on a frame's position within the clip, and clips are segment samples; so the
    attention of a whole video is read from such clips, not from contiguous windows.

    Returns:
        int64 (J, T), each row non-decreasing; every frame of [0, n) occurs at least once.
    """
    _check(n, num_frames)
    return offset_indices(n, num_frames, -(-n // num_frames))


def views(
    rule: Rule, n: int, num_frames: int, rng: Generator | None = None, temporal: int = 1
) -> np.ndarray:
    """The clips that a sampling rule takes of one video.

    Args:
        rule: ``"segments"`` (default everywhere), ``"two_clip"`` (the paper's text, "32×2"),
            ``"official_32"`` (the release's TSN rule) or ``"official_32x2"`` (the release's single
            clip at stride 2).
        n: Frames in the video.
        num_frames: T.
        rng: None for evaluation.
        temporal: Evaluation only: how many times the rule is applied, each at other frames. A rule
            of segments takes so many moments of each (:func:`offset_indices`), ``"official_32x2"``
            so many windows (:func:`window_indices`), and ``"official_32"`` keeps its fault: of a
            video shorter than T, frame 0 alone.

    Returns:
        int64 (V, T); V is 2·temporal for ``"two_clip"``, temporal otherwise.
    """
    if rule == "segments":
        if rng is None:
            return offset_indices(n, num_frames, temporal)
        return segment_indices(n, num_frames, rng)[None]
    if rule == "two_clip":
        if rng is None:
            return offset_indices(n, 2 * num_frames, temporal).reshape(-1, num_frames)
        return two_clip_indices(n, num_frames, rng)
    if rule == "official_32":
        if rng is None and n >= num_frames:
            return offset_indices(n, num_frames, temporal)
        return tsn_indices(n, num_frames, rng)[None].repeat(temporal, axis=0)
    if rule == "official_32x2":
        if rng is None:
            return window_indices(n, num_frames, 2, temporal)
        return stride_indices(n, num_frames, 2, rng)[None]
    raise ValueError(
        f"sampling rule {rule!r} is none of segments, two_clip, official_32, official_32x2"
    )


def _check(n: int, num_frames: int) -> None:
    if n < 1 or num_frames < 1:
        raise ValueError(f"need at least one frame and T ≥ 1, not n = {n}, T = {num_frames}")

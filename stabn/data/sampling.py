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
    _check(n, num_frames)
    if stride < 1:
        raise ValueError(f"stride must be at least 1, not {stride}")
    room = max(0, n - 1 - (num_frames - 1) * stride)
    start = room // 2 if rng is None else int(rng.integers(room + 1))
    return np.minimum(start + stride * np.arange(num_frames), n - 1)


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


def interleaved_indices(n: int, num_frames: int) -> np.ndarray:
    """Segment samples that together visit every frame: the j-th moment of every segment, each j.

    M_t depends on a frame's position within the clip, and clips are segment samples; so the
    attention of a whole video is read from such clips, not from contiguous windows. It is
    evaluation's segment rule with T·J segments, J = ceil(n / T), dealt out to J clips in turn.

    Returns:
        int64 (J, T), each row non-decreasing; every frame of [0, n) occurs at least once.
    """
    _check(n, num_frames)
    clips = -(-n // num_frames)
    return segment_indices(n, num_frames * clips).reshape(num_frames, clips).T.copy()


def views(rule: Rule, n: int, num_frames: int, rng: Generator | None = None) -> np.ndarray:
    """The clips that a sampling rule takes of one video.

    Args:
        rule: ``"segments"`` (default everywhere), ``"two_clip"`` (the paper's text, "32×2"),
            ``"official_32"`` (the release's TSN rule) or ``"official_32x2"`` (the release's single
            clip at stride 2).
        n: Frames in the video.
        num_frames: T.
        rng: None for evaluation.

    Returns:
        int64 (V, T); V is 2 for ``"two_clip"`` and 1 otherwise.
    """
    if rule == "segments":
        return segment_indices(n, num_frames, rng)[None]
    if rule == "two_clip":
        return two_clip_indices(n, num_frames, rng)
    if rule == "official_32":
        return tsn_indices(n, num_frames, rng)[None]
    if rule == "official_32x2":
        return stride_indices(n, num_frames, 2, rng)[None]
    raise ValueError(
        f"sampling rule {rule!r} is none of segments, two_clip, official_32, official_32x2"
    )


def _check(n: int, num_frames: int) -> None:
    if n < 1 or num_frames < 1:
        raise ValueError(f"need at least one frame and T ≥ 1, not n = {n}, T = {num_frames}")

"""The linear bar: its features by hand, its regression against the plain one, order and none."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stabn.data.prepared import prepare
from stabn.data.ssv2 import VideoFolder
from stabn.data.video import write_video
from studies import linear

LEFT, RIGHT = "Swiping [a finger] to the left", "Swiping [a finger] to the right"
STAR = "Drawing [a star]"


def bar(k: int) -> np.ndarray:
    """A frame (48, 64, 3) with a white bar that begins at pixel k."""
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, k : k + 4] = 255
    return frame


def test_features_are_means_of_bins_of_what_is_not_background():
    frames = np.stack([bar(4 * k) for k in range(16)])  # no pixel is white in most frames
    found = linear.features(frames)
    grey = frames[..., 0].astype(float)
    bins = np.stack([grey[2 * b : 2 * b + 2].mean(0) for b in range(8)]).ravel()
    assert found["ordered"] == pytest.approx(bins / np.linalg.norm(bins), abs=1e-5)
    middle = grey[8].ravel()
    assert found["middle"] == pytest.approx(middle / np.linalg.norm(middle), abs=1e-5)
    back = linear.features(frames[::-1])
    assert back["averaged"] == pytest.approx(found["averaged"], abs=1e-5)
    assert back["ordered"] != pytest.approx(found["ordered"], abs=1e-3)
    short = linear.features(frames[:3])  # fewer frames than bins
    assert short["ordered"].shape == (8 * 48 * 64,)
    assert np.isfinite(linear.features(frames[:1])["ordered"]).all()


def test_the_regression_in_the_span_of_its_rows_is_the_plain_one():
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    train = rng.normal(0, 1, (30, 200)) + labels[:, None] * rng.normal(0, 0.1, 200)
    test, truth = train[:10] + rng.normal(0, 1.5, (10, 200)), labels[:10]
    plain = LogisticRegression(C=linear.C, max_iter=2000).fit(train, labels)
    assert linear.right(train, labels, test, truth) == plain.score(test, truth)


def test_where_order_alone_tells_the_average_is_at_chance(tmp_path):
    root = tmp_path / "set"
    (root / "videos").mkdir(parents=True)
    entries = []
    for k in range(6):
        to_the_right = np.stack([bar(4 * t + k) for t in range(10)])
        for text, frames in ((LEFT, to_the_right[::-1]), (RIGHT, to_the_right)):
            entries.append({"id": f"{text[-4:].strip()}_{k}", "label": text, "template": text})
            write_video(root / "videos" / f"{entries[-1]['id']}.mp4", frames, fps=10)
    texts = [text.replace("[", "").replace("]", "") for text in (LEFT, RIGHT)]
    (root / "labels.json").write_text(json.dumps({text: str(k) for k, text in enumerate(texts)}))
    for fold in range(5):
        test = entries[2 * fold : 2 * fold + 2]
        train = [entry for entry in entries if entry not in test]
        for name, of in (("train", train), ("validation", test)):
            (root / f"{name}_{fold}.json").write_text(json.dumps(of))
    folder = VideoFolder(root)
    prepare(folder, folder.video_ids(), tmp_path / "small", 24, jobs=1)
    found, clips = linear.measure(root, tmp_path / "small")
    assert set(found) == {"all"}
    assert clips == {"all": [2] * 5}
    assert found["all"]["ordered"] == [1.0] * 5
    assert np.mean(found["all"]["averaged"]) <= 0.6


def test_tasks_are_the_subsets_that_ask_something_else():
    every = [text.replace("[", "").replace("]", "") for text in (LEFT, RIGHT, STAR)]
    assert linear.tasks(every) == {"left or right": [0, 1], "swipes": [0, 1], "all": [0, 1, 2]}
    assert linear.tasks(every[:2]) == {"all": [0, 1]}

"""The queue holds the right videos in the right order, with the attention of all their frames."""

import hashlib
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from stabn.data.sampling import interleaved_indices
from stabn.data.ssv2 import VideoFolder
from stabn.data.transforms import eval_transform, normalise
from stabn.data.video import VideoError
from stabn.knowledge.selection import whole_video
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.queue import QueueError, read_queue
from stabn.knowledge.selection.rescoring import Rescorer
from stabn.knowledge.selection.select import (
    candidates,
    class_ids,
    select,
    weak_classes,
)
from stabn.knowledge.selection.whole_video import whole_video_attention
from stabn.training import lock
from stabn.training.build import build_model, class_texts, dataset, eval_loader
from stabn.training.checkpoint import CheckpointError, load, read, save
from stabn.training.config import ConfigError, parse, write_config
from stabn.training.evaluate import figures_from_predictions
from stabn.training.predict import predict
from stabn.training.process import Process
from tests.preflights import with_videos_of_its_own
from tests.side_by_side import stabn_on

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def asked(tiny_run, tmp_path):
    """Selections from the finished run, everything queued; keywords override."""

    def configure(**values) -> SelectConfig:
        base = {"run": str(tiny_run.folder), "out": str(tmp_path / "queue")}
        base |= {"classes": [0, 1, 2], "include_correct": True}
        return parse(SelectConfig, base | values, "test")

    return configure


@pytest.fixture(scope="session")
def predictions(tiny_run):
    """What the finished run makes of its training split."""
    model = load(tiny_run.folder / "best.pt").model
    return predict(model, eval_loader(tiny_run, "train", ALONE), tiny_run, ALONE)


class Drawn:
    """One video whose frames all differ, in memory."""

    def __init__(self, n: int):
        self.video = np.random.default_rng(n).integers(0, 256, (n, 28, 30, 3), dtype=np.uint8)

    def frames(self, video_id: str) -> int:
        return len(self.video)

    def read(self, video_id: str, indices: np.ndarray) -> np.ndarray:
        return self.video[indices]


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11, 30])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_attention_of_a_whole_video_is_the_mean_over_interleaved_clips(tiny, n, batch_size):
    torch.manual_seed(0)
    model, videos = build_model(tiny(), 3).eval(), Drawn(n)
    transform = eval_transform(24, short_side=28)
    seen = {frame: [] for frame in range(n)}
    for row in interleaved_indices(n, 4):
        clip, _ = transform(videos.read("", row))
        with torch.no_grad():
            weights = model(normalise(clip[None])).temporal_attention[0]
        for frame, weight in zip(row.tolist(), weights.tolist(), strict=True):
            seen[frame].append(weight)
    attention = whole_video_attention(model, videos, "", 4, transform, batch_size=batch_size)
    assert attention.dtype == np.float32
    expected = [np.mean(seen[frame]) for frame in range(n)]
    np.testing.assert_allclose(attention, expected, rtol=1e-5)


def test_a_class_must_be_weak_on_both_splits():
    accuracy = {
        0: (0.2, 0.3),
        1: (0.2, 0.5),  # not below
        2: (0.6, 0.1),
        3: (0.49, 0.0),
        4: (0.1, None),  # nothing is known of it on the second split
    }
    assert weak_classes(accuracy, 0.5) == (0, 3)
    assert weak_classes(accuracy, 0.0) == ()


def test_classes_are_named_by_id_or_by_text():
    classes = ("Covering something", "Dropping something", "Lifting something")
    assert class_ids([2, "Covering something", 2], classes) == (0, 2)
    said = r"no class 'Droping something' \(did you mean 'Dropping something'\?\)"
    with pytest.raises(QueueError, match=said):
        class_ids(["Droping something"], classes)
    with pytest.raises(QueueError, match="no class 3; ids are 0 to 2"):
        class_ids([3], classes)
    with pytest.raises(QueueError, match="did you mean"):
        class_ids([""], classes)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ("null", None),
        ("None", None),
        ([1, "Covering"], (1, "Covering")),
        ("[1, Covering]", (1, "Covering")),
        (7, (7,)),
        ("Lifting something up, then dropping it", ("Lifting something up, then dropping it",)),
        ("Moving: something [else", ("Moving: something [else",)),
    ],
)
def test_classes_as_papermill_passes_them(given, read):
    assert parse(SelectConfig, {"run": "runs/a", "classes": given}, "test").classes == read


def test_worst_first_worked_by_hand():
    log = math.log
    rows = pd.DataFrame(
        {
            "video_id": ["a", "b", "c", "d", "e", "f"],
            "label": [0, 0, 1, 0, 2, 0],
            # softmax of log p is p where p sums to 1
            "logits": [
                np.array([log(0.3), log(0.6), log(0.1)]),
                np.array([log(0.1), log(0.6), log(0.3)]),
                np.array([log(0.8), log(0.1), log(0.1)]),
                np.array([log(0.8), log(0.1), log(0.1)]),  # right
                np.array([log(0.9), log(0.05), log(0.05)]),  # of a class not asked for
                np.array([log(0.1), log(0.3), log(0.6)]),
            ],
        }
    )
    found = candidates(rows, (0, 1))
    assert list(found["video_id"]) == ["b", "c", "f", "a"]  # ties by id
    assert list(found["predicted"]) == [1, 0, 2, 1]
    np.testing.assert_allclose(found["probability"], [0.1, 0.1, 0.1, 0.3])
    both = candidates(rows, (0, 1), include_correct=True)
    assert list(both["video_id"]) == ["b", "c", "f", "a", "d"]
    drawn = candidates(rows, (0, 1), include_correct=True, order="random")
    assert sorted(drawn["video_id"]) == sorted(both["video_id"])
    again = candidates(rows[::-1], (0, 1), include_correct=True, order="random")
    assert list(drawn["video_id"]) == list(again["video_id"]) != list(both["video_id"])
    assert candidates(rows, (1,)).to_dict("list") == {
        "video_id": ["c"],
        "label": [1],
        "predicted": [0],
        "probability": [pytest.approx(0.1)],
    }
    assert candidates(rows, ()).empty


def test_the_queue_says_what_the_network_does(asked, tiny_run, predictions):
    folder = select(asked())
    queue = read_queue(folder)
    model = load(tiny_run.folder / "best.pt").model
    assert queue.model == hashlib.sha256((tiny_run.folder / "best.pt").read_bytes()).hexdigest()
    assert (queue.run, queue.checkpoint) == (str(tiny_run.folder), "best")
    assert queue.data_root == tiny_run.data_root
    assert queue.splits == ("train", "tuning")
    assert queue.num_frames == 4
    assert queue.provenance["data"]["sha256"]
    assert queue.provenance["settings"]["include_correct"] is True

    tuning = predict(model, eval_loader(tiny_run, "tuning", ALONE), tiny_run, ALONE)
    for column, rows in enumerate([predictions, tuning]):
        for c, figures in figures_from_predictions(rows)["per_class"].items():
            assert queue.accuracy[c][column] == figures["top1"]

    expected = candidates(predictions, (0, 1, 2), include_correct=True)
    assert [v.video_id for v in queue.videos] == list(expected["video_id"])
    assert [v.predicted for v in queue.videos] == list(expected["predicted"])
    np.testing.assert_allclose([v.probability for v in queue.videos], expected["probability"])
    rows, rescorer = predictions.set_index("video_id"), Rescorer(queue)
    videos, transform = VideoFolder(tiny_run.data_root), eval_transform(24, short_side=28)
    for queued in queue.videos:
        row = rows.loc[queued.video_id]
        assert list(queued.sampled) == list(row["frame_indices"])
        whole = whole_video_attention(model, videos, queued.video_id, 4, transform)
        np.testing.assert_allclose(queued.attention, whole, atol=1e-5)
        own = rescorer.own(queued.video_id)
        assert own[queued.label] == pytest.approx(queued.probability, abs=5e-3)
        levels = np.zeros(queued.frames)
        levels[list(queued.sampled)] = row["temporal_attention"]
        np.testing.assert_allclose(rescorer(queued.video_id, levels), own, atol=1e-4)


def test_the_rule_takes_misclassified_videos_of_weak_classes(asked, predictions):
    queue = read_queue(select(asked(classes=None, include_correct=False, threshold=1)))
    assert queue.weak == weak_classes(queue.accuracy, 1)
    assert queue.weak
    expected = candidates(predictions, queue.weak)
    assert [v.video_id for v in queue.videos] == list(expected["video_id"])
    assert all(v.predicted != v.label and v.label in queue.weak for v in queue.videos)


def test_two_clips_a_video(asked, tiny):
    config = tiny(sampling="two_clip", name="two")
    torch.manual_seed(0)
    texts = class_texts(config)
    save(config.folder / "best.pt", build_model(config, len(texts)), config, texts)
    queue = read_queue(select(asked(run=str(config.folder), limit=2)))
    rescorer = Rescorer(queue)
    for queued in queue.videos:
        assert len(queued.sampled) == 8
        assert rescorer.spatial(queued.video_id).shape[0] == 8
        assert rescorer.own(queued.video_id)[queued.label] == pytest.approx(
            queued.probability, abs=5e-3
        )


def test_the_limit_keeps_the_first(asked, tmp_path):
    whole = read_queue(select(asked()))
    part = read_queue(select(asked(limit=2, out=str(tmp_path / "part"))))
    assert [v.video_id for v in part.videos] == [v.video_id for v in whole.videos[:2]]
    assert len(list((tmp_path / "part" / "features").iterdir())) == 2


@pytest.mark.slow(3)
def test_two_processes_make_the_queue_of_one(asked, tmp_path):
    one = read_queue(select(asked()))
    stabn_on(2, "select", asked(out=str(tmp_path / "both")))
    both = read_queue(tmp_path / "both")
    assert both.key == one.key
    assert both.accuracy == one.accuracy
    assert len(both.videos) == len(one.videos) == 12
    for a, b in zip(both.videos, one.videos, strict=True):
        assert (a.video_id, a.predicted, a.sampled) == (b.video_id, b.predicted, b.sampled)
        np.testing.assert_allclose(a.attention, b.attention, atol=1e-5)
        with np.load(both.folder / a.features) as x, np.load(one.folder / b.features) as y:
            assert x.files == y.files
            np.testing.assert_allclose(x["features"], y["features"], atol=1e-2)


def test_the_same_queue_again_is_left_alone(asked, caplog):
    folder = select(asked())
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    caplog.set_level("INFO")
    texts = read_queue(folder).classes
    assert select(asked(classes=[*texts], workers=0, batch_size=3)) == folder
    assert "holds this very queue already" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_queue_that_is_being_made_is_left_alone(asked, monkeypatch):
    monkeypatch.setattr(lock, "LEASE", 0.6)
    config = asked()
    out = config.folder
    with (
        lock.held(out, out.with_name(f".{out.name}.lock")),
        pytest.raises(ConfigError, match=f"{out}: process .* has been at work in it since"),
    ):
        select(config)
    assert not list(out.parent.glob(".*"))


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 3},
        {"order": "random"},
        {"classes": [1]},
        {"include_correct": False},
        {"checkpoint": "last"},
    ],
)
def test_another_selection_does_not_overwrite_it(asked, change):
    folder = select(asked())
    before = (folder / "queue.json").read_bytes()
    with pytest.raises(QueueError, match="queue: holds another queue"):
        select(asked(**change))
    assert (folder / "queue.json").read_bytes() == before


def test_without_out_it_lies_in_the_runs_folder(asked, tiny_run, tmp_path):
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    config = asked(run=str(tmp_path / "run"), out=None, limit=1)
    assert select(config) == tmp_path / "run" / "queue"
    assert len(read_queue(tmp_path / "run" / "queue").videos) == 1


def test_nothing_to_correct_says_what_to_loosen(asked, tmp_path):
    said = (
        r"no class is below the threshold of 0\.0% on both train and tuning; the weakest are "
        r".*\d%, \d+\.\d%.*raise `threshold`, or name `classes`"
    )
    with pytest.raises(QueueError, match=said):
        select(asked(classes=None, threshold=0))
    assert not (tmp_path / "queue").exists()


def test_nothing_misclassified_says_what_to_loosen(asked, tiny_run, tmp_path, predictions):
    """A network that is made to answer class 0 whatever it sees; class 0 alone is asked for."""
    content = read(tiny_run.folder / "best.pt")
    model = load(tiny_run.folder / "best.pt").model
    with torch.no_grad():
        model.backbone.fc.bias += torch.tensor([1e3, 0, 0])
    run = tmp_path / "always"
    save(run / "best.pt", model, tiny_run, tuple(content["classes"]))
    said = r"no video of train in the classes .*100\.0%, 100\.0% correct.*`include_correct`"
    with pytest.raises(QueueError, match=said):
        select(asked(run=str(run), classes=[0], include_correct=False))
    assert not (tmp_path / "queue").exists()


@pytest.mark.parametrize(
    "change", [{"model": "baseline"}, {"constant_spatial": 1.0, "constant_temporal": 1.0}]
)
def test_a_network_without_attention_of_its_own(asked, tiny, change):
    config = tiny(**change)
    texts = class_texts(config)
    save(config.folder / "best.pt", build_model(config, len(texts)), config, texts)
    with pytest.raises(QueueError, match=r"best\.pt: has no temporal attention of its own"):
        select(asked(run=str(config.folder)))


@pytest.fixture
def spoilt(tiny_set, tmp_path, predictions):
    """The set with one training video cut off and one video to check on emptied, and their ids."""
    root = with_videos_of_its_own(tiny_set, tmp_path / "data")
    checked = json.loads((root / "tuning.json").read_text())[1]["id"]
    ids = [predictions["video_id"][5], checked]
    for video_id, size in zip(ids, (300, 0), strict=True):
        content = (root / "videos" / f"{video_id}.webm").read_bytes()
        (root / "videos" / f"{video_id}.webm").unlink()
        (root / "videos" / f"{video_id}.webm").write_bytes(content[:size])
    return root, ids


@pytest.mark.slow(3)
@pytest.mark.parametrize("world_size", [1, 2])
def test_a_broken_video_is_left_out_counted_and_listed(
    asked, spoilt, tmp_path, predictions, world_size
):
    root, ids = spoilt
    config = asked(data_root=str(root))
    if world_size == 1:
        select(config)
    else:
        stabn_on(world_size, "select", config)
    queue = read_queue(tmp_path / "queue")
    assert set(queue.failed) == set(ids)
    assert "is an empty file" in queue.failed[ids[1]]
    expected = candidates(
        predictions[predictions["video_id"] != ids[0]], (0, 1, 2), include_correct=True
    )
    assert [v.video_id for v in queue.videos] == list(expected["video_id"])
    right = (np.stack(predictions["logits"]).argmax(1) == predictions["label"])[
        (predictions["video_id"] != ids[0]) & (predictions["label"] == predictions["label"][5])
    ]
    assert queue.accuracy[predictions["label"][5]][0] == right.mean()


def test_a_broken_video_is_told_of(asked, spoilt, caplog):
    caplog.set_level("INFO")
    select(asked(data_root=str(spoilt[0])))
    assert caplog.messages[-1].endswith(
        "11 videos, worst first; 2 could not be decoded and are left out"
    )


def test_a_video_that_is_broken_where_no_clip_looks_gives_its_place_to_the_next(
    asked, tmp_path, monkeypatch
):
    whole = [v.video_id for v in read_queue(select(asked())).videos]

    def torn(model, videos, video_id, *rest, then=whole_video.look):
        if video_id in whole[1:3]:
            raise VideoError(f"{video_id}.webm", "is damaged at frame 7")
        return then(model, videos, video_id, *rest)

    monkeypatch.setattr(whole_video, "look", torn)
    queue = read_queue(select(asked(limit=3, out=str(tmp_path / "three"))))
    assert [v.video_id for v in queue.videos] == [whole[0], *whole[3:5]]
    assert queue.failed == {v: f"{v}.webm: is damaged at frame 7" for v in whole[1:3]}


def test_videos_of_which_none_can_be_decoded_whole(asked, tmp_path, monkeypatch):
    def torn(model, videos, video_id, *rest):
        raise VideoError(f"{video_id}.webm", "is damaged at frame 7")

    monkeypatch.setattr(whole_video, "look", torn)
    with pytest.raises(VideoError, match=r"none of the 12 videos selected .* damaged at frame 7"):
        select(asked())
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_looking_leaves_nothing(asked, tmp_path, monkeypatch):
    def fail(path, video):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stabn.knowledge.selection.select.save_features", fail)
    with pytest.raises(QueueError, match="could not be written"):
        select(asked())
    assert list(tmp_path.iterdir()) == []


def test_another_data_set_is_refused(asked, tiny_set, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(tiny_set, root)
    labels = json.loads((root / "labels.json").read_text())
    renamed = {text.upper(): class_id for text, class_id in labels.items()}
    (root / "labels.json").write_text(json.dumps(renamed))
    with pytest.raises(CheckpointError, match="other class texts"):
        select(asked(data_root=str(root)))


def test_the_command_says_what_is_wrong_in_one_line(asked, tmp_path):
    write_config(asked(classes=["Droping"]), tmp_path / "select.yaml")
    command = [sys.executable, "-m", "stabn", "select"]
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "select.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: classes: there is no class 'Droping' (did you mean")
    assert len(done.stderr.splitlines()) == 1


def test_one_split_is_not_two(asked):
    with pytest.raises(ConfigError, match="check_split: must be another split than train_split"):
        select(asked(check_split="train"))


def test_an_unknown_setting_is_refused():
    with pytest.raises(ConfigError, match=r"unknown name 'treshold' \(did you mean 'threshold'"):
        parse(SelectConfig, {"run": "runs/a", "treshold": 0.4}, "test")


def test_evaluation_sees_what_selection_sees(tiny_run, predictions):
    """The clips come from all frames, transformed once; evaluation transforms each clip."""
    clips = dataset(tiny_run, "train", training=False)
    clip = clips[3]
    videos, transform = VideoFolder(tiny_run.data_root), eval_transform(24, short_side=28)
    n = videos.frames(clip.video_id)
    seen, _ = transform(videos.read(clip.video_id, np.arange(n)))
    assert torch.equal(seen[:, clip.frame_indices], clip.video)

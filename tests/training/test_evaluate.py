"""Predictions have one row a video whatever the processes; figures follow from them alone."""

import json
import math
import shutil
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from stabn.data.dataset import ONE_VIEW, ClipKey, Views
from stabn.data.mini.truth import read_truth
from stabn.data.ssv2 import AnnotationError
from stabn.data.transforms import normalise
from stabn.data.video import VideoError
from stabn.models.st_abn import STABNOutput
from stabn.training.build import dataset, eval_loader
from stabn.training.checkpoint import CheckpointError, load
from stabn.training.config import ConfigError, parse
from stabn.training.eval_config import EvalConfig
from stabn.training.evaluate import evaluate, figures_from_predictions, tagged
from stabn.training.predict import _rows, predict
from stabn.training.process import Process
from stabn.training.records import read_record, write_record
from tests.preflights import with_videos_of_its_own
from tests.side_by_side import stabn_on

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the finished run, to be evaluated again."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    return tmp_path / "run"


def scored(run, **values):
    return parse(EvalConfig, {"run": str(run), **values}, "test")


def test_figures_worked_by_hand():
    log = math.log
    predictions = pd.DataFrame(
        {
            "video_id": ["a", "b", "c", "d"],
            "label": [0, 0, 1, 2],
            # softmax of log p is p where p sums to 1
            "logits": [
                np.log([0.5, 0.25, 0.25]),
                np.log([0.25, 0.5, 0.25]),
                np.log([0.1, 0.8, 0.1]),
                np.log([0.4, 0.4, 0.2]),
            ],
        }
    )
    figures = figures_from_predictions(predictions)
    assert figures["videos"] == 4
    assert figures["top1"] == 2 / 4
    assert figures["top5"] == 1
    assert figures["loss"] == pytest.approx(-(log(0.5) + log(0.25) + log(0.8) + log(0.2)) / 4)
    assert figures["per_class"] == {
        0: {"videos": 2, "top1": 0.5},
        1: {"videos": 1, "top1": 1.0},
        2: {"videos": 1, "top1": 0.0},
    }
    assert "attention_top1" not in figures


def test_one_row_a_video_with_what_the_network_says_of_it(tiny_run):
    predictions = pd.read_parquet(tiny_run.folder / "predictions.parquet")
    clips = dataset(tiny_run, "validation", training=False)
    model = load(tiny_run.folder / "best.pt").model
    assert sorted(predictions["video_id"]) == sorted(r.video_id for r in clips.records)
    rows = predictions.set_index("video_id")
    for index, record in enumerate(clips.records):
        clip, row = clips[index], rows.loc[record.video_id]
        with torch.no_grad():
            output = model(normalise(clip.video[None]))
        assert row["label"] == record.class_id
        assert list(row["frame_indices"]) == clip.frame_indices.tolist()
        close = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(row["logits"], output.logits[0], **close)
        np.testing.assert_allclose(row["attention_logits"], output.attention_logits[0], **close)
        np.testing.assert_allclose(row["temporal_attention"], output.temporal_attention[0], **close)
        truth = read_truth(tiny_run.data_root, record.video_id)
        assert list(row["temporal_truth"]) == list(truth.levels[clip.frame_indices])


def test_attention_on_the_acting_object_scores_and_elsewhere_does_not(tiny_run):
    """M_s is put on the truth itself, cropped as the clip is, and then on all the rest."""

    class Oracle(torch.nn.Module):
        def __init__(self, loader, inverted):
            super().__init__()
            self.masks = iter(
                torch.stack([self.mask(loader, i) for i in range(len(loader.dataset))]).split(4)
            )
            self.inverted = inverted

        @staticmethod
        def mask(loader, index):
            clip = loader.dataset[index]
            truth = read_truth(tiny_run.data_root, clip.video_id)
            _, height, width = truth.actor.shape
            side = round(24 / 28 * height)  # the central 24 of a short side of 28
            top, left = (height - side) // 2, (width - side) // 2
            mask = (truth.actor | truth.hand)[clip.frame_indices.numpy()]
            mask = torch.from_numpy(mask[:, top : top + side, left : left + side]).float()
            return torch.nn.functional.interpolate(mask[None], size=(24, 24))  # (1, T, 24, 24)

        def forward(self, video):
            m_s = next(self.masks)
            n, _, t = m_s.shape[:3]
            m_s = 1 - m_s if self.inverted else m_s
            return STABNOutput(torch.zeros(n, 3), torch.zeros(n, 3), m_s, torch.rand(n, t))

    figures = []
    for inverted in (False, True):
        loader = eval_loader(tiny_run, "validation", ALONE)
        oracle = Oracle(loader, inverted)
        predictions = predict(oracle, loader, tiny_run, ALONE, with_truth=True)
        figures.append(figures_from_predictions(predictions))
    on, off = figures
    assert on["pointing"]["n"] >= 5
    for measure in ("pointing", "mass_in_mask"):
        assert on[measure]["value"] > 0.8
        assert off[measure]["value"] < off[measure]["chance"] < 0.6


def test_no_row_holds_on_to_the_memory_that_a_worker_shares(tiny):
    """An open file a batch, of which a process may have a thousand."""
    config = tiny(workers=1)
    loader = eval_loader(config, "validation", Process(0, 1, torch.device("cpu")))
    batch = next(iter(loader))
    assert batch.frame_indices.is_shared()
    rows = _rows(torch.zeros(len(batch), 3), batch, loader, config, with_truth=False)
    assert all(row["frame_indices"].base is None for row in rows)


def test_the_views_of_a_video_are_averaged(tiny, tiny_run):
    config = tiny(sampling="two_clip")
    model = load(tiny_run.folder / "best.pt").model
    predictions = predict(model, eval_loader(config, "tuning", ALONE), config, ALONE)
    clips = dataset(config, "tuning", training=False)
    assert len(predictions) == len(clips) == 3
    rows = predictions.set_index("video_id")
    for index, record in enumerate(clips.records):
        views = [clips[ClipKey(index, 0, view)] for view in (0, 1)]
        with torch.no_grad():
            logits = model(normalise(torch.stack([v.video for v in views]))).logits.mean(0)
        np.testing.assert_allclose(
            rows.loc[record.video_id, "logits"], logits, rtol=1e-4, atol=1e-5
        )
        expected = torch.cat([view.frame_indices for view in views])
        assert list(rows.loc[record.video_id, "frame_indices"]) == expected.tolist()


@pytest.mark.slow(4)
def test_two_processes_give_the_figures_of_one(run):
    alone = read_record(run / "record.json")["results"]["validation"]
    before = pd.read_parquet(run / "predictions.parquet")
    (run / "record.json").unlink()
    (run / "predictions.parquet").unlink()
    stabn_on(2, "evaluate", scored(run))
    together = read_record(run / "record.json")["results"]["validation"]
    after = pd.read_parquet(run / "predictions.parquet")
    assert list(after["video_id"]) == list(before["video_id"])  # nine: no two shares are equal
    np.testing.assert_allclose(
        np.stack(after["logits"]), np.stack(before["logits"]), rtol=1e-4, atol=1e-5
    )
    assert together["per_class"] == alone["per_class"]
    for name in ("videos", "top1", "top5", "loss", "attention_top1", "attention_loss"):
        assert together[name] == pytest.approx(alone[name], rel=1e-5)
    for name in ("rank_correlation", "pointing", "mass_in_mask"):
        assert together[name]["value"] == pytest.approx(alone[name]["value"], rel=1e-4)


@pytest.fixture
def seven(tiny_set, tmp_path):
    """Seven videos to score, a number that three does not divide; the fifth is broken."""
    root = tmp_path / "seven"
    shutil.copytree(tiny_set, root)
    entries = json.loads((root / "validation.json").read_text())[:7]
    (root / "validation.json").write_text(json.dumps(entries))
    (root / "videos" / f"{entries[4]['id']}.webm").write_bytes(b"")
    return root, [entry["id"] for entry in entries]


@pytest.mark.slow(4)
def test_a_broken_video_is_left_out_and_counted_for_any_number_of_processes(run, seven):
    root, ids = seven
    config = scored(run, data_root=str(root), invert_spatial=False)
    found = []
    for start in (evaluate, partial(stabn_on, 3, "evaluate")):
        (run / "record.json").unlink()
        start(config)
        predictions = pd.read_parquet(run / "predictions.parquet")
        assert list(predictions["video_id"]) == sorted(set(ids) - {ids[4]})
        figures = read_record(run / "record.json")["results"]["validation"]
        found.append((figures, np.stack(predictions["logits"])))
        # the parquet file alone says it all
        again = figures_from_predictions(predictions)
        assert again["failed_videos"] == figures["failed_videos"]
        assert again["loss"] == figures["loss"]
    (alone, logits), (together, others) = found
    assert (alone["videos"], alone["failed"]) == (6, 1)
    assert list(alone["failed_videos"]) == [ids[4]]
    assert "is an empty file" in alone["failed_videos"][ids[4]]
    np.testing.assert_allclose(others, logits, rtol=1e-4, atol=1e-5)
    for name in ("videos", "failed", "failed_videos", "top1", "top5", "per_class"):
        assert together[name] == alone[name]
    assert together["loss"] == pytest.approx(alone["loss"], rel=1e-5)


def test_a_video_of_which_one_view_is_broken_is_left_out_whole(tiny, tiny_run):
    """One frame cannot be read, which only the first of its two clips takes."""
    config = tiny(sampling="two_clip")
    loader = eval_loader(config, "tuning", ALONE)
    bad = loader.dataset.records[1].video_id
    first, second = (loader.dataset[ClipKey(1, 0, view)].frame_indices for view in (0, 1))
    frame = next(i for i in first.tolist() if i not in second)
    read = loader.dataset.videos.read

    def torn(video_id, indices):
        if video_id == bad and frame in indices:
            raise VideoError(f"{video_id}.webm", "is damaged")
        return read(video_id, indices)

    loader.dataset.videos.read = torn
    model = load(tiny_run.folder / "best.pt").model
    predictions = predict(model, loader, config, ALONE)
    assert len(predictions) == 2
    assert predictions.attrs["failed"] == {bad: f"{bad}.webm: is damaged"}


def test_a_set_of_which_nothing_decodes(tiny, tiny_run):
    loader = eval_loader(tiny_run, "tuning", ALONE)

    def gone(video_id):
        raise VideoError(f"{video_id}.webm", "no such file")

    loader.dataset.videos.frames = gone
    model = load(tiny_run.folder / "best.pt").model
    with pytest.raises(VideoError, match=r"none of the 3 videos can be decoded: .*no such file"):
        predict(model, loader, tiny_run, ALONE)


def test_inversion_changes_the_answer_and_leaves_the_attention_branch(run):
    evaluate(scored(run))
    plain, inverted = (
        pd.read_parquet(run / f"predictions{tag}.parquet") for tag in ("", "-validation-inverted")
    )
    assert not np.allclose(np.stack(plain["logits"]), np.stack(inverted["logits"]), rtol=1e-3)
    np.testing.assert_allclose(
        np.stack(plain["attention_logits"]), np.stack(inverted["attention_logits"])
    )
    assert set(read_record(run / "record.json")["results"]) == {"validation", "validation-inverted"}


def test_another_split_and_rule_have_files_of_their_own(run):
    before = (run / "predictions.parquet").read_bytes()
    evaluate(scored(run, split="tuning", sampling="two_clip", invert_spatial=False))
    assert len(pd.read_parquet(run / "predictions-tuning-two_clip.parquet")) == 3
    assert (run / "predictions.parquet").read_bytes() == before


def test_views_have_a_name_of_their_own_and_leave_the_run_s_report_alone(run):
    before = (run / "predictions.parquet").read_bytes()
    own = read_record(run / "record.json")["results"]["validation"]
    evaluate(scored(run, temporal_views=2, spatial_crops=3, short_side=24))
    results = read_record(run / "record.json")["results"]
    several = {"validation-2x3-24of24", "validation-2x3-24of24-inverted"}
    assert set(results) == {"validation"} | several
    assert results["validation"] == own
    assert (run / "predictions.parquet").read_bytes() == before
    assert own["protocol"] == {
        **{"sampling": "segments", "num_frames": 4, "short_side": 28, "image_size": 24},
        **{"temporal_views": 1, "spatial_crops": 1, "averaged": "logits"},
    }
    changed = {"short_side": 24, "temporal_views": 2, "spatial_crops": 3}
    for tag in several:
        assert results[tag]["protocol"] == own["protocol"] | changed | {"averaged": "probabilities"}
        predictions = pd.read_parquet(run / f"predictions-{tag}.parquet")
        assert len(predictions) == own["videos"]
        assert results[tag]["top1"] == figures_from_predictions(predictions)["top1"]


def test_a_short_side_into_which_no_clip_fits(run):
    with pytest.raises(
        ConfigError, match=r"short_side: must be at least image_size \(24\), not 20"
    ):
        evaluate(scored(run, short_side=20))


@pytest.mark.parametrize(
    ("changed", "tag"),
    [
        ({}, ""),
        ({"image_size": 28}, "-28of28"),
        ({"short_side": 24}, "-24of24"),
        ({"sampling": "two_clip"}, "-two_clip"),
    ],
)
def test_no_two_protocols_share_a_name(tiny_run, changed, tag):
    config = tiny_run.model_copy(update=changed)
    assert tagged(tiny_run, config, ONE_VIEW) == tag
    assert tagged(tiny_run, config, Views(10, 3)) in {tag + "-10x3", "-10x3" + tag}


@pytest.fixture
def unlabelled(tiny_set, tmp_path):
    """The tiny set with a test list: the ids of the validation videos, as the official one is."""
    root = with_videos_of_its_own(tiny_set, tmp_path / "unlabelled")
    ids = [{"id": entry["id"]} for entry in json.loads((root / "validation.json").read_text())]
    (root / "test.json").write_text(json.dumps(ids))
    return root


def test_a_list_without_labels_gets_predictions_alone(run, unlabelled):
    evaluate(scored(run, split="test", data_root=str(unlabelled)))
    own = pd.read_parquet(run / "predictions.parquet")
    predictions = pd.read_parquet(run / "predictions-test.parquet")
    assert list(predictions.columns) == ["video_id", "frame_indices", "logits", *own.columns[4:6]]
    for name in ("video_id", "logits"):
        assert np.array_equal(np.stack(predictions[name]), np.stack(own[name]))
    record = read_record(run / "record.json")
    assert set(record["results"]) == {"validation", "test"}  # nothing to compare M_s inverted by
    assert set(record["results"]["test"]) == {"videos", "failed", "protocol"}
    assert record["results"]["test"]["videos"] == 9
    answers = dict(line.split(";", 1) for line in (run / "answers-test.csv").open())
    for row in own.itertuples():
        assert answers[row.video_id].strip() == ";".join(map(str, np.argsort(-row.logits)))


def test_whoever_needs_labels_refuses_a_list_without(tiny, unlabelled):
    config = tiny(data_root=str(unlabelled))
    with pytest.raises(AnnotationError, match=r"test\.json: .*test lists have no labels"):
        eval_loader(config, "test", ALONE)


def test_a_data_set_of_other_classes(run, tiny_set, tmp_path):
    shutil.copytree(tiny_set, tmp_path / "other")
    (tmp_path / "other" / "labels.json").write_text('{"Covering something": "0"}')
    with pytest.raises(CheckpointError, match=r"best\.pt: has 3 classes, the data set 1"):
        evaluate(scored(run, data_root=str(tmp_path / "other")))


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(CheckpointError, match=r"best\.pt: no such checkpoint"):
        evaluate(scored(tmp_path))


def test_a_checkpoint_of_another_run_is_refused(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    record = read_record(folder / "record.json")
    write_record(folder / "record.json", record | {"config": record["config"] | {"name": "other"}})
    with pytest.raises(CheckpointError, match=r"is of the run tiny, the record is of other; score"):
        evaluate(EvalConfig(run=str(folder)))


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_scored(
    tiny_run, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    monkeypatch.setattr("stabn.training.evaluate.try_out", refuse)
    monkeypatch.setattr("stabn.training.evaluate.report", None)
    with pytest.raises(ConfigError, match=r"run: .* cannot be written \(Read-only file system\)"):
        evaluate(EvalConfig(run=str(folder)))

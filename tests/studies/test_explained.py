"""Explanations on clips with a known truth: against what is known by hand, and one by one."""

import numpy as np
import pytest
import torch
from torch import nn

from stabn.attribution import METHODS, Evidence, Question, deletion, explained, insertion
from stabn.attribution.methods import Explained
from stabn.data.mini.truth import read_truth
from stabn.data.transforms import normalise
from stabn.models.output import VideoOutput
from stabn.models.resnet3d import count_multiply_adds
from stabn.training.build import build_model, dataset
from stabn.training.checkpoint import CheckpointError, save
from stabn.training.records import read_record, write_record
from studies import explained as study
from studies.edited import followed, shared
from studies.known import Known, known_clips
from tests.attribution import spot

pytestmark = pytest.mark.slow(10)

CPU = torch.device("cpu")


def at(frame: int, row: int, column: int, label: int = spot.CLASS) -> Known:
    """A clip whose one bright place is all that is true of it."""
    video = spot.bright(frame, row, column)
    return Known(video, label, video.amax(dim=(0, 2, 3)).numpy(), video[0].bool().numpy())


def test_of_a_network_that_sees_one_spot_every_figure_is_known():
    """The right explanation earns all there is, and one turned round nothing."""
    clip, model = at(1, 0, 2), spot.Spot(1, 0, 2)
    truth = Evidence(clip.levels, torch.as_tensor(clip.masks).float()[:, ::4, ::4].numpy())
    right = study._judged(model, [clip], [1], [Explained(truth, 1, 0.5)])
    found = [right[name]["value"] for name in ("when", "iou", "pointing", "mass")]
    assert found == pytest.approx([1, 1, 1, 1])
    assert right["mass"]["chance"] == pytest.approx(1 / 9)
    assert (right["passes"], right["seconds"]) == (1, 0.5)
    turned = Evidence(1 - truth.temporal, 1 - truth.spatial)
    wrong = study._judged(model, [clip], [1], [Explained(turned, 1, 0.5)])
    assert wrong["iou"]["value"] == wrong["mass"]["value"] == 0
    for over in ("time", "both"):
        for fill in ("mean", "still"):
            ours, other = right["faithful"][fill][over], wrong["faithful"][fill][over]
            assert ours["insertion"] > other["insertion"]
            assert ours["deletion"] < other["deletion"]


def test_faithfulness_is_the_mean_of_the_clips_own_curves():
    clips, model = [at(0, 1, 1), at(3, 2, 0)], spot.Spot(0, 1, 1)
    each = [explained("centre", Question(model, clip.video, 1), cells=3) for clip in clips]
    judged = study._judged(model, clips, [1, 1], each)
    areas = {
        curve.__name__: [
            curve(Question(model, clip.video, 1, "still"), one.evidence, "space").area
            for clip, one in zip(clips, each, strict=True)
        ]
        for curve in (insertion, deletion)
    }
    found = judged["faithful"]["still"]["space"]
    for name, of_each in areas.items():
        assert found[name] == pytest.approx(np.mean(of_each))
    gaps = [one - other for one, other in zip(*areas.values(), strict=True)]
    assert found["gap"] == pytest.approx(gaps, abs=1e-4)
    assert gaps[0] != pytest.approx(gaps[1], abs=1e-2)  # a clip's own, not their mean


def test_scores_are_kept_of_each_clip_and_none_where_nothing_could_be_measured():
    """A truth that is the same in all frames orders none of them."""
    clip, model = at(1, 0, 2), spot.Spot(1, 0, 2)
    flat = Known(clip.video, clip.label, np.ones_like(clip.levels), clip.masks)
    each = [explained("random", Question(model, one.video, 1), seed=0) for one in (clip, flat)]
    when = study._judged(model, [clip, flat], [1, 1], each)["when"]
    assert when["per_clip"] == [pytest.approx(when["value"], abs=1e-4), None]


class Weighed(nn.Module):
    """Class 1 is the brightness of the frames, weighed by M_t, which is the same in each."""

    def forward(self, clips, temporal_attention=None):
        own = torch.full((len(clips), clips.shape[2]), 0.5)
        weights = own if temporal_attention is None else temporal_attention
        logit = 8 * (weights * clips.amax(dim=(1, 3, 4))).sum(dim=1)
        logits = torch.stack([torch.full_like(logit, 4), logit], dim=1)
        return VideoOutput(logits, temporal_attention=own)


def test_an_answer_follows_an_edit_as_worked_by_hand():
    """Own logits (4, 4); with the own truth (4, 8), with the other clip's, elsewhere, (4, 0)."""
    found = followed(Weighed(), [at(0, 0, 0), at(2, 0, 0)])
    p = 1 / (1 + np.exp(-4))
    per_clip = {whose: row.pop("per_clip") for whose, row in found["when"].items()}
    assert per_clip == {
        whose: pytest.approx([of_both, of_both], abs=1e-4)
        for whose, of_both in (("own", 0.5), ("truth", p), ("other", 1 - p))
    }
    assert found == {
        "when": {
            "own": pytest.approx({"top1": 0, "probability": 0.5, "moved": 0}),
            "truth": pytest.approx({"top1": 1, "probability": p, "moved": p - 0.5}, abs=1e-6),
            "other": pytest.approx({"top1": 0, "probability": 1 - p, "moved": p - 0.5}, abs=1e-6),
        }
    }


def test_a_network_without_attention_follows_nothing():
    assert followed(spot.Spot(0, 0, 0), [at(0, 0, 0)]) == {}


def test_shares_sum_to_1_and_nothing_is_shared_out_evenly():
    values = torch.tensor([[1.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    by_hand = torch.tensor([[0.25, 0.0, 0.75], [1 / 3, 1 / 3, 1 / 3]])
    torch.testing.assert_close(shared(values, (1,)), by_hand)


def test_the_same_clips_a_few_of_each_class(tiny):
    run = tiny()
    clips = known_clips(run, 2, CPU)
    assert sorted(clip.label for clip in clips) == [0, 0, 1, 1, 2, 2]
    every = dataset(run, "validation", training=False)
    videos = [normalise(every[i].video[None])[0] for i in range(len(every))]
    for clip, again in zip(clips, known_clips(run, 2, CPU), strict=True):
        torch.testing.assert_close(clip.video, again.video)
        (place,) = [i for i, video in enumerate(videos) if torch.equal(video, clip.video)]
        truth = read_truth(run.data_root, every.records[place].video_id)
        assert (clip.levels == truth.levels[every[place].frame_indices]).all()
        assert clip.masks.shape == clip.video.shape[1:]


def test_networks_without_known_truth_are_refused(tiny, tmp_path):
    with pytest.raises(CheckpointError, match="as mini-SSv2 has"):
        known_clips(tiny().model_copy(update={"data_root": str(tmp_path)}), 1, CPU)
    with pytest.raises(CheckpointError, match="not finished"):
        study.explain_run(tmp_path)


def kept(config, folder) -> None:
    """A network that nobody trained, in the folder of a run that has finished."""
    torch.manual_seed(0)
    save(folder / "best.pt", build_model(config, 3), config, ("Covering", "Dropping", "Lifting"))
    write_record(folder / "record.json", {"name": config.name, "wall_seconds": 1.0})


BILSTM = {"model": "bilstm", "network": {"units": 4, "dense": 8}}
CONVLSTM = {"model": "convlstm", "network": {"hidden": 8, "dense": 8}}
CNN3D = {"model": "cnn3d", "network": {"features": 8}, "num_frames": 6}


@pytest.mark.parametrize(
    ("values", "lacking", "edited"),
    [
        ({}, set(), {"when", "where"}),
        (BILSTM, set(), {"when"}),
        (CONVLSTM, set(), {"where"}),
        (CNN3D, {"intrinsic", "grad_cam"}, set()),
    ],
    ids=["st_abn", "bilstm", "convlstm", "cnn3d"],
)
def test_a_run_is_explained_by_all_that_fits_it(tiny, tmp_path, values, lacking, edited):
    config = tiny(**values)
    kept(config, tmp_path)
    found = study.explain_run(tmp_path, per_class=1, masks=2)
    assert set(found["methods"]) == set(METHODS) - lacking
    assert set(found["edited"]) == edited
    assert (found["clips"], found["batch_size"]) == (3, 4)
    assert found["step_seconds"] > 0
    assert found["methods"]["rise"]["passes"] == 4
    record = read_record(tmp_path / "record.json")
    assert record == {"name": config.name, "wall_seconds": 1.0, "explained": record["explained"]}
    assert record["explained"]["edited"] == found["edited"]


def test_weights_that_sum_to_1_are_edited_so(tiny):
    config = tiny(**BILSTM)
    model, clips = build_model(config, 3).eval(), known_clips(config, 1, CPU)
    by_hand = []
    with torch.no_grad():
        for clip in clips:
            edit = torch.from_numpy(clip.levels / clip.levels.sum())[None]
            logits = model(clip.video[None], temporal_attention=edit).logits
            by_hand.append(logits.softmax(dim=1)[0, clip.label].item())
    found = followed(model, clips)["when"]["truth"]["probability"]
    assert found == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_multiply_adds_are_those_of_one_clip(tiny):
    config = tiny()
    clip = torch.zeros(1, 3, 4, 24, 24)
    counted = count_multiply_adds(build_model(config, 3), clip)
    assert study.multiply_adds(config, 3) == counted

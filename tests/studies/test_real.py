"""Constructed timing: what is measured, against slow obvious sums and networks of known habits."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stabn.attribution.question import Question
from stabn.data.transforms import normalise
from stabn.data.video import write_video
from stabn.training.build import dataset
from stabn.training.checkpoint import CheckpointError, load
from stabn.training.process import Process
from stabn.training.records import read_record
from stabn.training.train import train
from studies import real

pytestmark = pytest.mark.slow(15)

ALONE = Process(0, 1, torch.device("cpu"))
CLASSES = ("Swiping a finger to the left", "Swiping a finger to the right",
           "Swiping a finger up", "Swiping a finger down")  # fmt: skip
HALF, PAUSE = 5, 2


def there_and_back(class_id: int) -> np.ndarray:
    """A square goes in the class's direction, rests, comes back: uint8 (12, 32, 32, 3)."""
    at = [*range(HALF), *[HALF - 1] * PAUSE, *reversed(range(HALF))]
    frames = np.full((len(at), 32, 32, 3), 60, np.uint8)
    for frame, k in zip(frames, at, strict=True):
        along = 4 * k + 2 if class_id in (1, 3) else 26 - 4 * k
        y, x = (12, along) if class_id < 2 else (along, 12)
        frame[y : y + 6, x : x + 6] = 250
    return frames


@pytest.fixture(scope="module")
def swipes(tmp_path_factory):
    """Four training clips and four to test on, as data_scripts/egogestar.py writes them."""
    root = tmp_path_factory.mktemp("data") / "real"
    for folder in ("videos", "truth"):
        (root / folder).mkdir(parents=True)
    labels = {text: str(k) for k, text in enumerate(CLASSES)}
    (root / "labels.json").write_text(json.dumps(labels))
    for name in ("train_0", "validation_0"):
        entries = []
        for k, text in enumerate(CLASSES):
            video_id, frames = f"{name}_{k}", there_and_back(k)
            entries.append({"id": video_id, "label": text, "template": text})
            moving = np.repeat(np.array([1, 0, 2], np.uint8), [HALF, PAUSE, HALF])
            levels = (moving == 1).astype(np.float32)
            truth = {"levels": levels, "moving": moving, "shape": np.array(frames.shape[:3])}
            np.savez_compressed(root / "truth" / f"{video_id}.npz", **truth)
            write_video(root / "videos" / f"{video_id}.mp4", frames, fps=10)
        (root / f"{name}.json").write_text(json.dumps(entries))
    return root


@pytest.fixture(scope="module")
def run(tiny, swipes, tmp_path_factory):
    config = tiny(
        name="real",
        fusion="gated",
        data_root=str(swipes),
        train_split="train_0",
        eval_split="validation_0",
        report_split="validation_0",
        num_frames=12,
        epochs=1,
        out_dir=str(tmp_path_factory.mktemp("runs")),
    )
    train(config)
    return config


def test_a_run_is_measured_and_its_record_tells(run):
    found = real.measure_run(run.folder)
    record = read_record(run.folder / "record.json")
    assert record["real"] == json.loads(json.dumps(found))
    assert record["results"]["validation_0"]["rank_correlation"]["n"] == 4
    assert set(found["when"]) == set(found["faithful"]) == {"own", "grad_cam", "motion", "centre"}
    assert all(0 <= share <= 1 for share in found["flips"].values())
    # the square moves as much on its way back as on its way there, and never in the pause
    motion = found["when"]["motion"]
    assert motion["iou_chance"] < motion["iou"] < 1
    assert set(found["levels"]) == {"first", "nothing", "last"}
    assert all(0 < level < 1 for level in found["levels"].values())
    assert set(found["where"]) == {"own", "grad_cam"}
    assert all(0 <= one["mass"] <= 1 for one in found["where"].values())
    for areas in found["faithful"].values():
        assert all(0 < area < 1 for area in areas.values())


def test_a_map_on_what_moves_has_all_its_mass_there_and_a_uniform_one_a_tenth():
    moved = np.zeros((2, 3, 10, 10))
    moved[0, :, 2, :] = moved[1, :, 7, :] = 1  # a row in the one clip, another in the other
    acting = np.ones((2, 3), bool)
    own = {"mass": 1, "chance": 0.1, "exchanged": 0}
    assert real.where(moved, moved, acting) == pytest.approx(own)
    uniform = real.where(np.ones((2, 3, 5, 5)), moved, acting)
    assert uniform == pytest.approx(dict.fromkeys(uniform, 0.1))
    still = np.where(np.arange(3)[:, None, None] == 1, moved, 0)  # only the middle frame moves
    assert real.where(moved[:, ::-1, ::-1], still, acting)["mass"] == 0


def test_flips_are_what_one_clip_after_the_other_answers(run):
    trained = load(run.folder / "best.pt")
    found = {"first": [], "last": []}
    for clip in dataset(run, "validation_0", training=False):
        with np.load(f"{run.data_root}/truth/{clip.video_id}.npz") as file:
            moving = file["moving"][clip.frame_indices]
        back = {0: 1, 1: 0, 2: 3, 3: 2}[clip.label]
        for half, code, wanted in (("first", 1, clip.label), ("last", 2, back)):
            by_hand = torch.from_numpy((moving == code).astype(np.float32))[None]
            with torch.no_grad():
                out = trained.model.eval()(normalise(clip.video[None]), temporal_attention=by_hand)
            found[half].append(out.logits.argmax().item() == wanted)
    measured = real.measure(trained, run, ALONE)["flips"]
    assert measured["first"] == np.mean(found["first"])
    assert measured["last"] == np.mean(found["last"])
    assert measured["both"] == np.mean([a and b for a, b in zip(*found.values(), strict=True)])
    assert measured["both"] + measured["mirrored"] + measured["unmoved"] <= 1


class Looking:
    """Answers with the direction in which brightness moves in the frames that M_t lets through."""

    obeys, sign = True, 1

    def features(self, clips):
        return clips

    def from_features(self, clips, temporal_attention):
        m_t = temporal_attention if self.obeys else torch.ones_like(temporal_attention)
        grey = clips.mean(1)  # (N, T, H, W)
        both = m_t[:, 1:] * m_t[:, :-1]
        x = (grey.mean(2) * torch.arange(grey.shape[3])).sum(2).diff(dim=1)
        y = (grey.mean(3) * torch.arange(grey.shape[2])).sum(2).diff(dim=1)
        x, y = ((both * v).sum(1) for v in (x, y))
        return SimpleNamespace(logits=self.sign * torch.stack([-x, x, -y, y], 1))


def test_of_two_swipes_the_last_half_shows_the_second():
    moving = np.repeat(np.array([1, 0, 2]), [HALF, PAUSE, HALF])[None].repeat(2, 0)
    levels, then = (moving == real.FIRST).astype(np.float32), [CLASSES[2], CLASSES[0]]
    first, last = real.halves(CLASSES, torch.tensor([0, 3]), levels, moving, then)
    assert (first.tolist(), last.tolist()) == ([0, 3], [2, 0])


@pytest.mark.parametrize("named", [real.FIRST, real.LAST])
def test_an_answer_that_goes_with_the_hand_flips_and_one_that_does_not_never(named):
    clips = np.stack([there_and_back(k) for k in range(4)])
    clips = torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float()
    moving = np.repeat(np.array([1, 0, 2]), [HALF, PAUSE, HALF])[None].repeat(4, 0)
    labels = torch.arange(4) if named == real.FIRST else torch.tensor([1, 0, 3, 2])
    levels = (moving == named).astype(np.float32)
    obeying = SimpleNamespace(model=Looking(), classes=CLASSES)
    shown = real.halves(CLASSES, labels, levels, moving, [""] * 4)
    assert [half.tolist() for half in shown] == [[0, 1, 2, 3], [1, 0, 3, 2]]
    found = real.flips(obeying, clips, moving, *shown)
    never = [False] * 4
    obeyed = {half: [True] * 4 for half in ("first", "last", "both")}
    assert found == obeyed | {"mirrored": never, "unmoved": never}
    obeying.model.sign = -1  # it takes each direction for its opposite
    found = real.flips(obeying, clips, moving, *shown)
    assert found == dict.fromkeys(obeyed, never) | {"mirrored": [True] * 4, "unmoved": never}
    obeying.model.obeys = False
    found = real.flips(obeying, clips, moving, *shown)
    assert (found["both"], found["mirrored"], found["unmoved"]) == (never, never, [True] * 4)


def test_motion_is_the_difference_to_the_frame_before():
    clip = torch.rand(3, 6, 4, 5, generator=torch.Generator().manual_seed(0))
    found = real.motion(Question(None, clip, 0)).temporal
    slow = [float((clip[:, t] - clip[:, t - 1]).abs().mean()) for t in range(1, 6)]
    assert found == pytest.approx([slow[0], *slow], abs=1e-6)


def test_the_truth_itself_agrees_with_itself_and_not_with_the_others():
    truth = np.zeros((3, 8))
    for k in range(3):
        truth[k, 2 * k : 2 * k + 3] = 1
    found = real._when(truth, truth)
    assert (found["iou"], found["rank"]) == (1, pytest.approx(1))
    assert found["iou_exchanged"] < 0.3


def test_a_network_without_attention_has_none_of_its_own(tiny, run, tmp_path):
    config = tiny(**(run.model_dump() | {"model": "baseline", "fusion": "paper", "name": "plain"}))
    config = config.model_copy(update={"out_dir": str(tmp_path)})
    train(config)
    found = real.measure(load(config.folder / "best.pt"), config, ALONE)
    assert set(found) == {"when", "where", "faithful"}
    assert set(found["when"]) == {"grad_cam", "motion", "centre"}


def test_what_cannot_be_measured_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="not finished"):
        real.measure_run(tmp_path)
    assert real.opposites(CLASSES).tolist() == [1, 0, 3, 2]
    for other in (("Drawing a star",), CLASSES[:3]):
        with pytest.raises(CheckpointError, match="other classes than four swipes"):
            real.opposites(other)

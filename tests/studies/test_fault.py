"""What the misleading sign does to a network, against slow obvious sums and what must be zero."""

import json

import numpy as np
import pytest
import torch

from stabn.data.mini.make import VARIANTS, Size, generate
from stabn.data.mini.sign import PARTNER
from stabn.data.mini.truth import read_truth
from stabn.data.ssv2 import class_text, read_split
from stabn.data.transforms import normalise
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.finetune import finetune
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.select import select
from stabn.training.build import dataset
from stabn.training.checkpoint import CheckpointError, load
from stabn.training.config import parse
from stabn.training.process import Process
from stabn.training.records import read_record
from stabn.training.train import train
from studies import fault

pytestmark = pytest.mark.slow(25)

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def biased(tmp_path_factory):
    size = Size(32, VARIANTS["biased"]["mini"].templates, train=3, validation=3, tuning=1)
    return generate(
        tmp_path_factory.mktemp("data") / "biased", size, seed=1, jobs=1, variant="biased"
    )


@pytest.fixture(scope="module", params=["paper", "gated"])
def run(request, tiny, biased, tmp_path_factory):
    """A finished run on a tiny biased set, in both fusions."""
    config = tiny(
        name=request.param,
        fusion=request.param,
        data_root=str(biased),
        eval_split="tuning",
        report_split="validation_swapped",
        out_dir=str(tmp_path_factory.mktemp("runs")),
    )
    train(config)
    return config


@pytest.fixture(scope="module")
def found(run):
    return fault.measure(load(run.folder / "best.pt"), run, ALONE)


def test_effects_are_what_one_clip_after_the_other_gives(run, found):
    """Frame by frame and clip by clip, the fusion written out."""
    trained = load(run.folder / "best.pt")
    model, classes = trained.model.eval(), trained.classes
    pairs = {class_text(a): class_text(b) for a, b in PARTNER.items()}
    swapped, absent = (
        dataset(run, f"validation_{name}", training=False) for name in ("swapped", "absent")
    )
    moved = {"both": [], "spatial": [], "temporal": []}
    for i in range(len(swapped)):
        clip, plain = swapped[i], absent[i]
        sign = read_truth(run.data_root, clip.video_id).sign[clip.frame_indices]
        if not sign.any():
            continue
        with torch.no_grad():
            f, g = (model.features(normalise(c.video[None])) for c in (clip, plain))
            out = model.from_features(f)
            m_s, m_t = out.spatial_attention, out.temporal_attention[:, None, :, None, None]
            gate = m_t if run.fusion == "gated" else 1.0

            def margin(a, b, m_s=m_s, m_t=m_t, gate=gate, label=clip.label):
                joined = torch.cat([gate * (1 + m_s) * a, m_t * b], dim=1)
                fused = model.fusion.relu(model.fusion.bn(model.fusion.conv(joined)))
                logits = model.backbone.perception(fused)[0]
                return (logits[classes.index(pairs[classes[label]])] - logits[label]).item()

            nothing = margin(g, g)
            moved["both"].append(margin(f, f) - nothing)
            moved["spatial"].append(margin(f, g) - nothing)
            moved["temporal"].append(margin(g, f) - nothing)
    assert len(moved["both"]) >= 3
    for half, values in moved.items():
        assert found["effect"][half] == pytest.approx(np.mean(values), abs=1e-4)


def test_the_oracle_is_the_share_right_with_the_truth_as_attention(run, found):
    trained = load(run.folder / "best.pt")
    for name in fault.LISTS:
        right = []
        for clip in dataset(run, name, training=False):
            levels = read_truth(run.data_root, clip.video_id).levels[clip.frame_indices]
            with torch.no_grad():
                video = normalise(clip.video[None])
                out = trained.model.eval()(video, temporal_attention=torch.tensor(levels[None]))
            right.append(out.logits.argmax().item() == clip.label)
        assert found["oracle"][name] == pytest.approx(np.mean(right))


def test_mean_attention_lies_between_0_and_1(found):
    assert set(found["m_t"]) == {"sign", "action", "idle"}
    assert all(0 < value < 1 for value in found["m_t"].values())


def test_every_arm_of_a_fine_tuning_is_measured(run, tmp_path, stabn):
    queue = select(
        parse(
            SelectConfig,
            {
                "run": str(run.folder),
                "out": str(tmp_path / "queue"),
                "classes": [0, 1, 2, 3],
                "include_correct": True,
                "order": "random",
            },
            "test",
        )
    )
    stabn("stand-in", "--queue", queue, "--out", tmp_path / "edits.json")
    config = parse(
        FinetuneConfig,
        {
            "name": "tuned",
            "out_dir": str(tmp_path),
            "run": str(run.folder),
            "edits": str(tmp_path / "edits.json"),
            "epochs": 1,
            "batch_size": 4,
            "also_report": ["validation_aligned", "validation_absent"],
            "invert_spatial": False,
        },
        "test",
    )
    finetune(config)
    found = fault.measure_arms(config.folder)
    record = read_record(config.folder / "record.json")
    arms = {"before", "knowledge", "control", "placebo"}
    assert set(found) == arms
    assert record["fault"] == json.loads(json.dumps(found))
    assert set(record["results"]) == {f"{arm}-{name}" for arm in arms for name in fault.LISTS}
    assert found["before"] == fault.measure(load(run.folder / "best.pt"), run, ALONE)


def test_what_cannot_be_measured_is_named(tiny_run, tmp_path):
    with pytest.raises(CheckpointError, match="not finished"):
        fault.measure_arms(tmp_path)
    with pytest.raises(CheckpointError, match="--variant biased"):
        fault.measure(load(tiny_run.folder / "best.pt"), tiny_run, ALONE)


def test_the_biased_lists_are_pairs(biased, run):
    classes = load(run.folder / "best.pt").classes
    lists = [read_split(biased, name, classes) for name in fault.LISTS]
    for trio in zip(*lists, strict=True):
        assert len({record.class_id for record in trio}) == 1

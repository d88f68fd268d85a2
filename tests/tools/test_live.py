"""What a figure that answers is made of is what the library says of the same clips."""

import numpy as np
import onnxruntime
import pytest
import torch

from stabn.data.transforms import normalise
from stabn.training.checkpoint import load_trained
from tools import live, live_clips, live_figure

pytestmark = pytest.mark.slow(30)


@pytest.fixture(scope="module")
def trained():
    return load_trained("mini_st_abn")


@pytest.fixture(scope="module")
def clips(trained):
    return live_clips.telling(trained)


def test_clips_are_chosen_by_what_the_network_says_of_them(trained, clips):
    kinds = [live_clips.kind_of(trained, clip) for clip in clips]
    assert kinds[:2] == ["right", "right"]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        kind: kinds.count(kind) for kind in live_clips.WANTED if kind in kinds
    }
    assert len({clip.label for clip in clips}) == len(clips)
    assert [clip.title for clip in live_clips.telling(trained)] == [clip.title for clip in clips]


def test_recorded_answers_are_the_networks_own(trained, clips):
    clip = clips[0]
    known = live.recorded(clip, [trained])
    with torch.no_grad():
        whole = trained.model(normalise(clip.pixels[None]))
    (answer,) = known["answers"]
    np.testing.assert_allclose(answer["probabilities"], whole.logits[0].softmax(0), atol=1e-6)
    np.testing.assert_allclose(answer["temporal"], whole.temporal_attention[0], atol=1e-6)
    assert known["edits"][0]["temporal"] == answer["temporal"]
    assert known["levels"] == clip.levels.tolist()


def test_the_parts_give_every_recorded_answer(trained, clips):
    """In onnxruntime, as a page does it: the extractor once, then only what lies behind."""
    extractor, attention, answer = (
        onnxruntime.InferenceSession(part.SerializeToString())
        for part in live.parts_of(trained).values()
    )
    for clip in clips[:2]:
        (features,) = extractor.run(None, {"clip": normalise(clip.pixels[None]).numpy()})
        own = attention.run(list(live.ATTENTIONS), {"features": features})
        seen = {"features": features} | dict(zip(live.ATTENTIONS, own, strict=True))
        for edit in live.recorded(clip, [trained])["edits"]:
            given = np.float32([edit["temporal"]])
            (logits,) = answer.run(["logits"], seen | {"temporal_attention": given})
            found = torch.from_numpy(logits[0]).softmax(0)
            np.testing.assert_allclose(found, edit["probabilities"][0], atol=1e-4)


def test_arms_of_a_fine_tuning_share_their_extractor_and_nothing_else():
    one, other = (
        live.parts_of(load_trained("mini_finetune", checkpoint=arm))
        for arm in ("control", "knowledge")
    )
    same = [n for n in one if one[n].SerializeToString() == other[n].SerializeToString()]
    assert same == ["extractor"]


def test_without_a_script_the_first_clips_answer_stands_there():
    known = {
        "classes": ["Lifting <it>", "Dropping"],
        "networks": [{"title": ""}],
        "clips": [
            {
                "title": "Dropping a box",
                "strip": "when-0.jpg",
                "frames": [0, 2],
                "answers": [{"probabilities": [0.25, 0.75]}],
            }
        ],
    }
    page = live_figure.without_script(known)
    assert page.index("Dropping</th><td>75%") < page.index("Lifting &lt;it&gt;</th><td>25%")
    assert 'alt="2 frames of a synthetic clip: Dropping a box"' in page

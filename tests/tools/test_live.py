"""What a figure that answers is made of is what the library says of the same clips."""

import base64

import numpy as np
import onnxruntime
import pytest
import torch

from stabn.data.transforms import normalise
from stabn.training.checkpoint import load_trained
from tools import live, live_clips, live_figure, live_maps

pytestmark = pytest.mark.slow(30)


@pytest.fixture(scope="module")
def trained():
    return load_trained("mini_st_abn")


@pytest.fixture(scope="module")
def clips(trained):
    return live_clips.telling(trained)


@pytest.fixture(scope="module")
def engine(trained):
    """What the engine of a page makes of a clip, and the part that answers."""
    extractor, attention, answer = (
        onnxruntime.InferenceSession(part.SerializeToString())
        for part in live.parts_of(trained).values()
    )

    def seen(clip):
        (features,) = extractor.run(None, {"clip": normalise(clip.pixels[None]).numpy()})
        own = attention.run(list(live.ATTENTIONS), {"features": features})
        return {"features": features} | dict(zip(live.ATTENTIONS, own, strict=True)), answer

    return seen


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


def test_the_parts_give_every_recorded_answer(trained, engine, clips):
    """In onnxruntime, as a page does it: the extractor once, then only what lies behind."""
    for clip in clips[:2]:
        seen, answer = engine(clip)
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


def test_a_readers_figure_has_the_networks_own_map_over_its_frames(trained):
    (clip,) = live_clips.street(trained)
    (known,) = live.figure("own").clips
    with torch.no_grad():
        whole = trained.model(normalise(clip.pixels[None]))
    own = whole.spatial_attention[0, 0]
    found = values(known["answers"][0]["map"], own.shape)
    np.testing.assert_allclose(found, own, atol=0.5 / 255 + 1e-6)


def test_a_kind_of_clip_that_was_not_found_is_named(trained, clips):
    there = {live_clips.kind_of(trained, clip): clip.title for clip in clips}
    for kind, (_, words) in live_clips.WANTED.items():
        assert kind not in there or there[kind].endswith(f": {words}")
    note = live_clips.not_found(trained, clips[:1], live_clips.kind_of, live_clips.WANTED)
    (_, mended), (_, wrong) = list(live_clips.WANTED.values())[1:]
    assert note == f"Of up to 3 fresh clips of each class, none was {mended}; none was {wrong}."
    only = {"right": live_clips.WANTED["right"]}
    assert live_clips.not_found(trained, clips[:1], live_clips.kind_of, only) is None


@pytest.fixture(scope="module")
def painted(trained):
    """Clips of the figure whose M_s is painted."""
    return live_clips.CHOSEN["where"](trained)


def values(text, cells):
    """A recorded map, read as the page reads it: (T, H′, W′) in [0, 1]."""
    content = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return np.float32(content.reshape(cells) / 255)


def test_clips_to_paint_are_chosen_by_what_inversion_does_to_them(trained, painted):
    kinds = [live_clips.kind_inverted(trained, clip) for clip in painted]
    assert kinds[0] == "lost"
    assert set(kinds) <= set(live_clips.WANTED_INVERTED)
    for kind, clip in zip(kinds, painted, strict=True):
        batch = normalise(clip.pixels[None])
        with torch.no_grad():
            before, after = (
                int(trained.model(batch, invert_spatial=inverted).logits.argmax()) == clip.label
                for inverted in (False, True)
            )
        assert (before, after) == (kind in ("lost", "kept"), kind in ("kept", "gained"))


def test_recorded_maps_are_the_networks_own_and_the_truth(trained, painted):
    clip = painted[0]
    known = live_maps.of_clip(clip, [trained])
    with torch.no_grad():
        whole = trained.model(normalise(clip.pixels[None]))
    (answer,) = known["answers"]
    own = values(answer["map"], known["cells"])
    np.testing.assert_allclose(own, whole.spatial_attention[0, 0], atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(answer["logits"], whole.logits[0], atol=1e-4)
    np.testing.assert_allclose(answer["probabilities"], whole.logits[0].softmax(0), atol=1e-6)
    # a cell's truth is the share of object and hand among the pixels that it touches
    truth = live_maps.cropped(clip, clip.video.actor | clip.video.hand, trained.config)[8]
    found = values(known["truth"], known["cells"])[8]
    pixels = [slice(i * 128 // 14, -(-(i + 1) * 128 // 14)) for i in range(14)]
    by_hand = [[truth[y, x].mean() for x in pixels] for y in pixels]
    assert truth.shape == (128, 128)
    np.testing.assert_allclose(found, by_hand, atol=0.5 / 255 + 1e-6)


def test_a_map_is_written_as_it_is_given_to_the_library():
    given = live_maps.levels(torch.tensor([[[0.0, 0.5, 0.25, 1.0]]]))
    np.testing.assert_array_equal(values(live_maps.written(given), (1, 1, 4)), given)


def test_the_parts_give_every_recorded_answer_to_a_map(trained, engine, painted):
    clip = painted[0]
    seen, answer = engine(clip)
    known = live_maps.of_clip(clip, [trained])
    for edit in known["edits"]:
        given = values(edit["map"], known["cells"])[None, None]
        (logits,) = answer.run(["logits"], seen | {"spatial_attention": given})
        found = torch.from_numpy(logits[0]).softmax(0)
        np.testing.assert_allclose(found, edit["probabilities"][0], atol=1e-4)


def test_without_a_script_the_first_clips_answer_stands_there():
    known = {
        "classes": ["Lifting <it>", "Dropping"],
        "networks": [{"title": ""}],
        "clips": [
            {
                "title": "Dropping a box",
                "label": 1,
                "strip": "when-0.jpg",
                "frames": [0, 2],
                "answers": [{"probabilities": [0.25, 0.75]}],
            }
        ],
    }
    page = live_figure.without_script(known)
    assert page.index("Dropping</th><td>75%") < page.index("Lifting &lt;it&gt;</th><td>25%")
    assert 'alt="2 frames of a synthetic clip: Dropping a box"' in page

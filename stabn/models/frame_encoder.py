"""Frame by frame: a small two-dimensional CNN, and a network over time behind an encoder."""

from typing import Any

from torch import Tensor, nn

from stabn.models.abn import BasicBlock
from stabn.models.output import VideoOutput
from stabn.models.planes import clips, frames
from stabn.models.resnet3d import initialise


class FrameEncoder(nn.Module):
    """A small ResNet that sees one frame at a time: (N, 3, T, H, W) → (N, C, T, H′, W′).

    It knows nothing of motion: what is behind it must. With three stages a clip of 56 pixels
    becomes maps of 7×7, as one of 224 pixels does in VGG-16.

    Args:
        channels: of the stages, each of which halves height and width; the last one is C.
    """

    def __init__(self, channels: tuple[int, ...] = (16, 32, 32)):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        )
        widths = [channels[0], *channels]
        self.stages = nn.Sequential(
            *(BasicBlock(a, b, stride=2) for a, b in zip(widths, channels, strict=False))
        )
        initialise(self)

    def forward(self, clip: Tensor) -> Tensor:
        return clips(self.stages(self.stem(frames(clip))), clip.shape[0])


def encoded_size(size: int, stages: int) -> int:
    """H′ of a frame of ``size`` pixels: each stage halves it, upwards."""
    return -(-size // 2**stages)


class FrameByFrame(nn.Module):
    """An encoder of frames and a network over their features, trained as one.

    Args:
        encoder: (N, 3, T, H, W) → (N, C, T, H′, W′), a map for each frame.
        network: features (N, T, C, H′, W′) → :class:`~stabn.models.output.VideoOutput`.
    """

    def __init__(self, encoder: nn.Module, network: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.network = network

    def extractor_modules(self) -> list[nn.Module]:
        """The encoder: all that stands before the network over time."""
        return [self.encoder]

    def features(self, clip: Tensor) -> Tensor:
        """Normalised clips (N, 3, T, H, W) → (N, T, C, H′, W′)."""
        return self.encoder(clip).transpose(1, 2)

    def from_features(self, features: Tensor, **edited: Any) -> VideoOutput:
        """Everything behind the encoder; ``edited`` attention as the network takes it."""
        return self.network(features, **edited)

    def forward(self, clip: Tensor, **edited: Any) -> VideoOutput:
        """Classify normalised clips (N, 3, T, H, W)."""
        return self.from_features(self.features(clip), **edited)

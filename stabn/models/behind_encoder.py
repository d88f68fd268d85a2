"""A network over the maps that an encoder makes of each frame, and the encoder, as one."""

from typing import Any

from torch import Tensor, nn

from stabn.models.output import VideoOutput


class BehindEncoder(nn.Module):
    """An encoder and a network over its features.

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

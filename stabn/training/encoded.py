"""A network that learned from a frozen encoder's features, behind that encoder again.

Together they read frames, so what the network answers can be traced back to what a video shows. The
encoder, its weights and the choice of frames must be those that the features were made with.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stabn.data.features import FeatureKey, FeaturesError
from stabn.data.sampling import segment_indices
from stabn.data.video import frame_count
from stabn.models.behind_encoder import BehindEncoder
from stabn.models.encoders import Encoder
from stabn.models.output import VideoOutput
from stabn.training.build import features
from stabn.training.checkpoint import CheckpointError, Trained
from stabn.training.features import each_second
from stabn.training.records import check_features


class Encoded(BehindEncoder):
    """A frozen encoder and the network over its features.

    It reads clips float (N, 3, n, size, size) in 0…255, not normalised: an encoder prepares them in
    its own way. Where features are a second's each, a short video has n < T frames: the network is
    told so, and M_t is of these n.

    Args:
        encoder: with the weights that the features were made with.
        network: features (N, T, C, H′, W′) → :class:`~stabn.models.output.VideoOutput`.
        key: what the features were of that it learned from.
        num_frames: T.
    """

    def __init__(self, encoder: Encoder, network: nn.Module, key: FeatureKey, num_frames: int):
        super().__init__(encoder, network)
        self.key, self.num_frames = key, num_frames

    @property
    def size(self) -> int:
        """Height and width of the clips that it reads, in pixels."""
        return self.encoder.shape.size

    def features(self, clip: Tensor) -> Tensor:
        """(N, 3, n, size, size) → (N, n, C, H′, W′), rounded as maps are that are kept."""
        maps = torch.cat([self.encoder(one) for one in clip.split(1)])  # which need much memory
        return maps.half().float() if self.key.output == "cube" else maps

    def from_features(self, features: Tensor) -> VideoOutput:
        """Everything behind the encoder, of n ≤ T frames."""
        n = features.shape[1]
        if n == self.num_frames:
            return self.network(features)
        filled = F.pad(features, (0, 0, 0, 0, 0, 0, 0, self.num_frames - n))
        lengths = torch.full((len(features),), n, device=features.device)
        output = self.network(filled, lengths=lengths)
        m_t = output.temporal_attention
        return output._replace(temporal_attention=None if m_t is None else m_t[:, :n])

    def frames_of(self, video: Path) -> np.ndarray:
        """The source frames that it reads of a video, int64 (n,), in their order.

        Raises:
            VideoError: the video cannot be read, or does not say its frames per second.
        """
        n = frame_count(video)
        if self.key.taken == "seconds":
            return each_second(video, n)[: self.num_frames]
        return segment_indices(n, self.num_frames)


def behind_its_encoder(
    trained: Trained, weights: str | Path | None = "imagenet", run: Path | None = None
) -> Trained:
    """The same, its network behind the encoder whose features it learned from.

    Args:
        trained: of a run that reads features; their folder still lies where the run says.
        weights: of the encoder, as :class:`~stabn.models.encoders.Encoder` takes them.
        run: the run's folder; its record says what the features were of when it learned from them.

    Raises:
        CheckpointError: nothing says what the features were of, or these weights make other ones.
        ConfigError: the features there now are not those that it learned from.
        EncoderError, MissingExtra, WeightsError: the encoder, or its weights, cannot be had.
    """
    model, config, _, origin = trained
    try:
        key = features(config).key
    except FeaturesError as error:
        raise CheckpointError(
            f"{origin}: reads features of {config.encoder}, and the folder that says how they were "
            f"made is needed to put that before it again: {error}"
        ) from error
    if run is not None:
        check_features(config, run)
    encoder = Encoder(config.encoder, weights, official=key.official)
    if encoder.weights_hash != key.weights:
        raise CheckpointError(
            f"{origin}: learned from features that {config.encoder} made with other weights "
            f"({key.weights[:12]}, not {encoder.weights_hash[:12]}); give those, as --weights "
            f"imagenet, FILE or none"
        )
    return trained._replace(model=Encoded(encoder, model, key, config.num_frames).eval())

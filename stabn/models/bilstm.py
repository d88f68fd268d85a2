"""CNN + bidirectional LSTM, with or without attention over time (You and Korhonen, 2020).

The attention is a dense layer along time, and a softmax: it makes T weights of each feature's T
values, and multiplies the values by them. One T×T kernel serves all features. So each (frame,
feature) has its weight, and the weights of a feature sum to 1 over the clip. The attention stands
after the LSTM or before it.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stabn.models.output import VideoOutput, check_attention

Place = Literal["after", "before", "none"]


class DenseSoftmax(nn.Module):
    """Weights over time: (N, T, C) → (N, T, C), which sum to 1 over T for each feature."""

    def __init__(self, num_frames: int):
        super().__init__()
        self.fc = nn.Linear(num_frames, num_frames)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """``present``, bool (N, T), are the frames that may have weight; None for all."""
        energy = self.fc(x.transpose(1, 2)).transpose(1, 2)
        if present is not None:
            energy = energy.masked_fill(~present[:, :, None], -torch.inf)
        return energy.softmax(dim=1)


def initialise_as_keras(module: nn.Module) -> None:
    """Begin linear layers and LSTMs as Keras does, in which the systems' authors wrote them.

    Weights from the inputs are uniform in ±√(6 / (inputs + outputs)) (Glorot and Bengio, 2010), an
    LSTM's from its own state orthogonal, biases 0 and the forget gate's 1. PyTorch's default knows
    the LSTM's units alone: the 25,088 numbers of a VGG frame would close or open all its gates.
    """
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.LSTM):
        for name, values in module.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(values)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(values)
            else:
                nn.init.zeros_(values)
                if name.startswith("bias_ih"):  # PyTorch adds two biases; its gates are i, f, g, o
                    units = module.hidden_size
                    nn.init.ones_(values[units : 2 * units])


class BiLSTM(nn.Module):
    """Features of T frames → logits, and when the network looked.

    ``"after"``: LSTM → attention → all T·2·units numbers → dense. ``"before"``: attention → LSTM →
    its last state in both directions → dense. ``"none"``: the same without attention.

    A video shorter than T frames is filled up with zeros. By default such frames are masked: the
    LSTM ends (and, backwards, begins) at the last true frame, and no attention falls behind it.

    Args:
        inputs: features of a frame: C, or C·H′·W′ of feature maps.
        num_frames: T; the attention's kernel has this size.
        num_classes: K.
        attention: ``"after"``, ``"before"`` or ``"none"``.
        units: of the LSTM in each direction.
        dense: units of the layer (ReLU) before the classes.
        dropout: share of these that is dropped.
        pooled: of maps, read the mean over all places, C numbers a frame.
        official: as the published code does: without the mask.
    """

    def __init__(
        self,
        inputs: int,
        num_frames: int,
        num_classes: int,
        *,
        attention: Place = "after",
        units: int = 256,
        dense: int = 512,
        dropout: float = 0.5,
        pooled: bool = False,
        official: bool = False,
    ):
        super().__init__()
        self.num_frames, self.place = num_frames, attention
        self.pooled, self.official = pooled, official
        self.attention = None if attention == "none" else DenseSoftmax(num_frames)
        self.lstm = nn.LSTM(inputs, units, batch_first=True, bidirectional=True)
        states = 2 * units * (num_frames if attention == "after" else 1)
        self.dense = nn.Linear(states, dense)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(dense, num_classes)
        self.apply(initialise_as_keras)

    def forward(
        self,
        features: Tensor,
        *,
        lengths: Tensor | None = None,
        temporal_attention: Tensor | None = None,
    ) -> VideoOutput:
        """Classify, and say when the network looked.

        Args:
            features: (N, T, C) or maps (N, T, C, H′, W′); as published, zero behind a video's end.
            lengths: int64 (N,), true frames of each video, at least 1; None for T of them all.
            temporal_attention: (N, T) to use in place of the weights, for all features alike; the
                network's own sum to 1.

        Returns:
            ``temporal_attention`` is the mean of the weights over the features; it sums to 1.

        Raises:
            ValueError: another T, or ``temporal_attention`` of another shape or without attention.
        """
        if self.pooled and features.dim() == 5:
            features = features.mean(dim=(3, 4))
        x = features.flatten(2)  # (N, T, C·H'·W'), or (N, T, C)
        n, t, _ = x.shape
        if t != self.num_frames:
            raise ValueError(f"this network reads {self.num_frames} frames, this clip has {t}")
        check_attention("temporal_attention", temporal_attention, (n, t))
        if self.attention is None and temporal_attention is not None:
            raise ValueError("temporal_attention: this network has no attention to replace")
        lengths = None if self.official else lengths
        present = None
        if lengths is not None:
            present = torch.arange(t, device=x.device) < lengths[:, None]  # (N, T)
            x = x.masked_fill(~present[:, :, None], 0)

        weights = None
        if self.place == "before":
            weights = self._weights(x, present, temporal_attention)
            x = weights * x
        states, last = self._read(x, lengths)
        if self.place == "after":
            weights = self._weights(states, present, temporal_attention)
            last = (weights * states).flatten(1)  # (N, T·2·units)
        logits = self.fc(self.dropout(self.dense(last).relu()))
        return VideoOutput(
            logits, temporal_attention=None if weights is None else weights.mean(dim=2)
        )

    def _weights(self, x: Tensor, present: Tensor | None, given: Tensor | None) -> Tensor:
        """(N, T, C) → weights of this shape: the network's own, or the given ones (N, T)."""
        return self.attention(x, present) if given is None else given[:, :, None].expand_as(x)

    def _read(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """(N, T, C) → states (N, T, 2·units), zero behind the end, and the last (N, 2·units)."""
        if lengths is None:
            states, (h, _) = self.lstm(x)
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            states, (h, _) = self.lstm(packed)
            states, _ = pad_packed_sequence(states, batch_first=True, total_length=x.shape[1])
        return states, torch.cat([h[0], h[1]], dim=1)

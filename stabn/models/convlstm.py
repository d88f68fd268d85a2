"""Soft attention over places, and a convolutional LSTM behind it (VideoLSTM's recipe).

In every frame the network weighs the H′×W′ places of the feature maps, looking at the frame and at
what it remembers; a ConvLSTM reads the weighed maps and names a class at every step. The course
report that the book follows (Teja and Akunuri, 2020) averages each 7×7 map, so that 512 numbers are
left, puts these through a softmax and "reshapes into the initial dimensions". That step cannot be:
512 numbers are a weight for each *channel*, and no reshaping makes 7×7 places of them. Here is what
the model does that the report cites (Li et al., 2018): a weight for each place.
"""

import math

import torch
from torch import Tensor, nn

from stabn.models.output import VideoOutput, check_attention

State = tuple[Tensor, Tensor]  # h and c, each (N, D, H′, W′)


class ConvLSTMCell(nn.Module):
    """One step of a convolutional LSTM, without peepholes (Shi et al., 2015).

    i, f, o = σ(W ∗ [x, h] + b) and g = tanh(W ∗ [x, h] + b) give c′ = f ⊙ c + i ⊙ g and
    h′ = o ⊙ tanh(c′). The rows of ``gates`` are i, f, o, g, in this order.
    """

    def __init__(self, inputs: int, hidden: int, kernel: int = 3):
        super().__init__()
        self.gates = nn.Conv2d(inputs + hidden, 4 * hidden, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, state: State) -> State:
        """x (N, C, H′, W′), h and c (N, D, H′, W′) → the next h and c."""
        h, c = state
        i, f, o, g = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class SoftAttention(nn.Module):
    """α = softmax over places of Uᵀ tanh(W_c x + W_d h + b): 1×1 convolutions."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.of_frame = nn.Conv2d(channels, channels, 1)  # W_c and b
        self.of_memory = nn.Conv2d(hidden, channels, 1, bias=False)  # W_d
        self.energy = nn.Conv2d(channels, 1, 1, bias=False)  # U

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """x (N, C, H′, W′), h (N, D, H′, W′) → α (N, 1, H′, W′), which sums to 1 over places."""
        e = self.energy(torch.tanh(self.of_frame(x) + self.of_memory(h)))
        return e.flatten(1).softmax(dim=1).view_as(e)


class AttentiveConvLSTM(nn.Module):
    """Feature maps of T frames → a class at every step, and where the network looked in each.

    α ⊙ x is not summed over places: the ConvLSTM keeps them apart. Its first h and c are tanh of
    3×3 convolutions of the mean frame. The answer for the clip is the mean probability of all
    steps. The defaults are the reference model's, for VGG-16's last maps of 30 frames.

    Args:
        channels: C of the feature maps.
        size: H′, W′.
        num_classes: K.
        hidden: D, channels of the ConvLSTM's state.
        dense: units of the layer (tanh) before the classes.
        dropout: share of these units that is dropped.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        num_classes: int,
        *,
        hidden: int = 512,
        dense: int = 1024,
        dropout: float = 0.7,
    ):
        super().__init__()
        self.first_h = nn.Conv2d(channels, hidden, 3, padding=1)
        self.first_c = nn.Conv2d(channels, hidden, 3, padding=1)
        self.attention = SoftAttention(channels, hidden)
        self.cell = ConvLSTMCell(channels, hidden)
        self.dense = nn.Linear(hidden * size[0] * size[1], dense)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(dense, num_classes)

    def forward(self, features: Tensor, *, spatial_attention: Tensor | None = None) -> VideoOutput:
        """Classify, and say where the network looked.

        Args:
            features: (N, T, C, H′, W′).
            spatial_attention: (N, 1, T, H′, W′) to use in place of α, which sums to 1 in a frame.

        Raises:
            ValueError: ``spatial_attention`` of another shape.
        """
        n, t, _, height, width = features.shape
        check_attention("spatial_attention", spatial_attention, (n, 1, t, height, width))
        mean = features.mean(dim=1)
        h, c = self.first_h(mean).tanh(), self.first_c(mean).tanh()
        logits, alphas = [], []
        for step, x in enumerate(features.unbind(1)):  # (N, C, H′, W′)
            own = spatial_attention is None
            alpha = self.attention(x, h) if own else spatial_attention[:, :, step]
            h, c = self.cell(alpha * x, (h, c))
            logits.append(self.fc(self.dropout(self.dense(h.flatten(1)).tanh())))
            alphas.append(alpha)
        step_logits = torch.stack(logits, dim=1)  # (N, T, K)
        return VideoOutput(
            mean_probability(step_logits),
            step_logits=step_logits,
            spatial_attention=torch.stack(alphas, dim=2),  # (N, 1, T, H′, W′)
        )


def mean_probability(step_logits: Tensor) -> Tensor:
    """(N, T, K) → (N, K): logits whose softmax is the mean over the steps of theirs."""
    log_p = step_logits.log_softmax(dim=-1)
    return log_p.logsumexp(dim=1) - math.log(step_logits.shape[1])


def step_accuracy(step_logits: Tensor, labels: Tensor) -> float:
    """Share of all frames whose own class is their video's: what the report counts (82 %).

    Args:
        step_logits: (N, T, K).
        labels: int64 (N,).
    """
    return (step_logits.argmax(dim=-1) == labels[:, None]).float().mean().item()


def video_accuracy(step_logits: Tensor, labels: Tensor) -> float:
    """Share of the videos whose mean probability is highest for their class; shapes as above."""
    return (mean_probability(step_logits).argmax(dim=-1) == labels).float().mean().item()

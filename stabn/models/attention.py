"""The spatio-temporal attention branch: h, its three heads, and the fusion (Sections 3.1.1, 3.1.2).

"K×T×1×1" in the paper reads as out-channels × frames × kernel height × kernel width: those kernels
have size 1 in time. K classes, T frames.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from stabn.models.planes import PlaneConv3d
from stabn.models.resnet3d import Stage, residual_stage


class ClassHead(nn.Module):
    """h (N, K, T, H, W) → logits (N, K) of the attention branch.

    ``"fc"`` (the published code): pool over space only, then a linear layer over all K·T numbers.
    ``"gap"`` (the paper's text): 3-D global average pooling, no linear layer.
    """

    def __init__(self, num_classes: int, num_frames: int, kind: str, dropout: float):
        super().__init__()
        self.conv = PlaneConv3d(num_classes, num_classes, (1, 1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(num_classes * num_frames, num_classes) if kind == "fc" else None

    def forward(self, h: Tensor) -> Tensor:
        per_frame = self.conv(h).mean(dim=(3, 4))  # (N, K, T)
        if self.fc is None:
            return per_frame.mean(dim=2)  # (N, K)
        return self.fc(self.dropout(per_frame.flatten(1)))  # (N, K·T) → (N, K)


class SpatialHead(nn.Module):
    """M_s: h (N, K, T, H, W) → (N, 1, T, H, W) in (0, 1), one map a frame."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.conv = PlaneConv3d(num_classes, 1, (1, 1, 1))
        self.bn = nn.BatchNorm3d(1)

    def start_from_evidence(self) -> None:
        """Begin with M_s high where the class maps are high: their mean, standardised by BN."""
        nn.init.constant_(self.conv.weight, 1 / self.conv.in_channels)

    def forward(self, h: Tensor) -> Tensor:
        return torch.sigmoid(self.bn(self.conv(h)))


class TemporalHead(nn.Module):
    """M_t: h (N, K, T, H, W) → (N, T) in (0, 1), one weight a frame.

    The frames become channels of a 2-D convolution and inputs of linear layers, so M_t depends on a
    frame's *position* in the clip as well as on what it shows.

    Args:
        num_classes: K.
        num_frames: T.
        tail: ``"two_fc"`` (the published code) is FC–ReLU–FC–sigmoid; ``"literal"`` (the paper's
            sentence) is FC–ReLU–sigmoid, which can never fall below 0.5.
    """

    def __init__(self, num_classes: int, num_frames: int, tail: str = "two_fc"):
        super().__init__()
        self.conv = PlaneConv3d(num_classes, 1, (3, 3, 3))
        self.bn = nn.BatchNorm3d(1)
        self.mix = nn.Conv2d(num_frames, num_frames, kernel_size=1, bias=False)
        self.fc1 = nn.Linear(num_frames, num_frames)
        self.fc2 = nn.Linear(num_frames, num_frames) if tail == "two_fc" else None

    def start_from_evidence(self) -> None:
        """Begin with M_t high in frames whose class maps are high, each frame by itself.

        From random layers M_t begins as a mixture of all frames. Where actions lie anywhere in a
        clip, training then finds no way to tell the frames apart (chapter 5 shows it).
        """
        nn.init.constant_(self.conv.weight, 1 / self.conv.weight[0].numel())
        nn.init.eye_(self.mix.weight.data[:, :, 0, 0])
        nn.init.eye_(self.fc1.weight)
        nn.init.zeros_(self.fc1.bias)
        if self.fc2 is not None:
            gain, usual = 4.0, 0.4  # 0.4 is the mean of max(0, x) for a standard normal x
            nn.init.eye_(self.fc2.weight)
            self.fc2.weight.data.mul_(gain)
            nn.init.constant_(self.fc2.bias, -gain * usual)

    def forward(self, h: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(h))).squeeze(1)  # (N, 1, T, H, W) → (N, T, H, W)
        x = torch.relu(self.mix(x)).mean(dim=(2, 3))  # (N, T)
        x = torch.relu(self.fc1(x))
        return torch.sigmoid(x if self.fc2 is None else self.fc2(x))


class BranchOutput(NamedTuple):
    """What the attention branch gives: logits (N, K), M_s (N, 1, T, H, W), M_t (N, T)."""

    logits: Tensor
    spatial_attention: Tensor
    temporal_attention: Tensor


class AttentionBranch(nn.Module):
    """ST attention branch: feature maps f (N, C, T, H, W) → class logits, M_s and M_t.

    A copy of the perception branch's residual stage keeps the resolution (stride 1); BN, a 1×1×1
    convolution to K channels, BN and ReLU make h, one map a class and frame, which all heads read.
    """

    def __init__(
        self,
        channels: int,
        stage: Stage,
        num_classes: int,
        num_frames: int,
        *,
        class_head: Literal["fc", "gap"] = "fc",
        temporal_tail: Literal["two_fc", "literal"] = "two_fc",
        dropout: float = 0.5,
    ):
        super().__init__()
        self.stage = residual_stage(channels, stage, stride=1)
        self.to_classes = nn.Sequential(
            nn.BatchNorm3d(stage.channels),
            PlaneConv3d(stage.channels, num_classes, (1, 1, 1)),
            nn.BatchNorm3d(num_classes),
            nn.ReLU(inplace=True),
        )
        self.class_head = ClassHead(num_classes, num_frames, class_head, dropout)
        self.spatial_head = SpatialHead(num_classes)
        self.temporal_head = TemporalHead(num_classes, num_frames, temporal_tail)

    def forward(self, features: Tensor) -> BranchOutput:
        h = self.to_classes(self.stage(features))  # (N, K, T, H, W)
        return BranchOutput(self.class_head(h), self.spatial_head(h), self.temporal_head(h))


class Fusion(nn.Module):
    """Attention mechanism, equations (1)–(3): f, M_s, M_t → f′ of the same shape as f.

    ``"paper"``: conv(concat[(1 + M_s)·f, M_t·f]). The spatial half does not feel M_t.
    ``"gated"`` (ours): conv(concat[(1 + M_s)·g·f, g·f]). The gate g governs both halves; it is M_t,
    or with ``closed`` = τ over 0 a gate that shuts: g = max(0, (M_t − τ) / (1 − τ)). An M_t of 0.15
    lets a frame through at 15 % of its size, and the layers behind can make it large again. Of a
    frame that the gate shuts out nothing is left, no gradient either.

    Args:
        channels: C of the feature maps.
        kind: ``"paper"`` or ``"gated"``.
        relu: end with ReLU after BN (the 2022 release leaves it out).
        closed: τ in [0, 1); the paper's fusion has no gate to shut.
    """

    def __init__(self, channels: int, kind: str = "paper", relu: bool = True, closed: float = 0.0):
        super().__init__()
        self.kind = kind
        self.closed = closed
        self.conv = PlaneConv3d(2 * channels, channels, (1, 1, 1))
        self.bn = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def halves(self, features: Tensor, spatial: Tensor, temporal: Tensor) -> tuple[Tensor, Tensor]:
        """The spatial and the temporal half before they are joined, each (N, C, T, H, W)."""
        gate = ((temporal - self.closed) / (1 - self.closed)).clamp(min=0)
        weight = gate[:, None, :, None, None]  # (N, 1, T, 1, 1)
        spatial_half = (1 + spatial) * features  # equation (1)
        if self.kind == "gated":
            spatial_half = weight * spatial_half
        return spatial_half, weight * features  # equation (2)

    def join(self, spatial_half: Tensor, temporal_half: Tensor) -> Tensor:
        """Equation (3): both halves (N, C, T, H, W) → f′ (N, C, T, H, W)."""
        return self.relu(self.bn(self.conv(torch.cat([spatial_half, temporal_half], dim=1))))

    def forward(self, features: Tensor, spatial: Tensor, temporal: Tensor) -> Tensor:
        """features (N, C, T, H, W), spatial (N, 1, T, H, W), temporal (N, T) → (N, C, T, H, W)."""
        return self.join(*self.halves(features, spatial, temporal))

"""The Attention Branch Network for images (Fukui et al., 2019): what ST-ABN grew from."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stabn.models.resnet3d import initialise


class ABNOutput(NamedTuple):
    """logits (N, K) of the perception branch, attention_logits (N, K), attention (N, 1, H′, W′)."""

    logits: Tensor
    attention_logits: Tensor
    attention: Tensor


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a shortcut: (N, C, H, W) → (N, C′, H/stride, W/stride)."""

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ABN(nn.Module):
    """A small ResNet with an attention branch before its last stage.

    Args:
        num_classes: K.
        channels: output channels of the stages; the last one is the perception branch's, and the
            attention branch has a copy of it with stride 1.
        in_channels: 1 for grey images, 3 for RGB.
        residual: attention mechanism (1 + M)·f; False gives M·f.
    """

    def __init__(
        self,
        num_classes: int,
        channels: tuple[int, ...] = (16, 32, 64),
        in_channels: int = 3,
        residual: bool = True,
    ):
        super().__init__()
        self.residual = residual
        *early, last = channels
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, early[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(early[0]),
            nn.ReLU(inplace=True),
        )
        widths = [early[0], *early]
        self.extractor = nn.Sequential(
            *(BasicBlock(a, b, stride=2) for a, b in zip(widths, early, strict=False))
        )
        self.attention_stage = BasicBlock(early[-1], last, stride=1)
        self.to_classes = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Conv2d(last, num_classes, 1, bias=False),
            nn.BatchNorm2d(num_classes),
            nn.ReLU(inplace=True),
        )
        self.class_conv = nn.Conv2d(num_classes, num_classes, 1, bias=False)
        self.map_conv = nn.Conv2d(num_classes, 1, 3, padding=1, bias=False)
        self.map_bn = nn.BatchNorm2d(1)
        self.perception_stage = BasicBlock(early[-1], last, stride=2)
        self.fc = nn.Linear(last, num_classes)
        initialise(self)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) → f at the attention point."""
        return self.extractor(self.stem(image))

    def attention_branch(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """f → attention_logits (N, K), M (N, 1, H′, W′) in (0, 1)."""
        h = self.to_classes(self.attention_stage(features))  # (N, K, H', W')
        logits = self.class_conv(h).mean(dim=(2, 3))
        return logits, torch.sigmoid(self.map_bn(self.map_conv(h)))

    def perception_branch(self, features: Tensor, attention: Tensor) -> Tensor:
        """f and M → logits (N, K): the attention mechanism, the last stage, GAP, FC."""
        weight = 1 + attention if self.residual else attention
        return self.fc(self.perception_stage(weight * features).mean(dim=(2, 3)))

    def forward(self, image: Tensor, *, attention: Tensor | None = None) -> ABNOutput:
        """Images (N, C, H, W); ``attention`` (N, 1, H′, W′) replaces the branch's own map."""
        features = self.features(image)
        attention_logits, own = self.attention_branch(features)
        used = own if attention is None else attention
        return ABNOutput(self.perception_branch(features, used), attention_logits, used)

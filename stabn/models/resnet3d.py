"""The slow-pathway 3-D ResNet, whole or cut at the attention point.

One definition serves ResNet-50, ResNet-101 and the small network of the laptop-sized experiments.
There is no temporal stride anywhere: T frames in, T feature maps out. Parameter names are
torchvision's (``conv1``, ``bn1``, ``layer1`` …, ``fc``), so that two-dimensional ImageNet weights
can be inflated into it by name.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from stabn.models.planes import PlaneConv3d, PlaneMaxPool3d


@dataclass(frozen=True)
class Stage:
    """One residual stage: ``depth`` blocks of ``channels`` output channels.

    Attributes:
        depth: number of blocks.
        channels: output channels of every block.
        temporal_kernel: size along T of the first convolution of each block (odd).
        stride: spatial stride of the stage's first block.
        bottleneck: 1-3-1 bottleneck blocks; otherwise a single k×3×3 convolution with BN and ReLU.
    """

    depth: int
    channels: int
    temporal_kernel: int
    stride: int
    bottleneck: bool = True


@dataclass(frozen=True)
class Backbone:
    """The shape of a network: stem and stages. The last stage is the perception branch's."""

    stem_channels: int
    stem_kernel: tuple[int, int, int]
    stages: tuple[Stage, ...]
    norm_before_fc: bool = False

    @property
    def feature_channels(self) -> int:
        """Channels of the feature maps f(x) at the attention point."""
        return self.stages[-2].channels


def _slow(depths: tuple[int, int, int, int]) -> Backbone:
    d2, d3, d4, d5 = depths
    return Backbone(
        stem_channels=64,
        stem_kernel=(1, 7, 7),
        stages=(
            Stage(d2, 256, temporal_kernel=1, stride=1),
            Stage(d3, 512, temporal_kernel=1, stride=2),
            Stage(d4, 1024, temporal_kernel=3, stride=2),
            Stage(d5, 2048, temporal_kernel=3, stride=2),
        ),
    )


BACKBONES = {
    "resnet50": _slow((3, 4, 6, 3)),
    "resnet101": _slow((3, 4, 23, 3)),
    # Few clips and no pre-trained weights: this one must see motion from its first layer on.
    "small": Backbone(
        stem_channels=24,
        stem_kernel=(3, 5, 5),
        stages=(
            Stage(1, 32, temporal_kernel=1, stride=1, bottleneck=False),
            Stage(1, 32, temporal_kernel=3, stride=1, bottleneck=False),
            Stage(1, 64, temporal_kernel=3, stride=2),
        ),
        norm_before_fc=True,
    ),
}


def backbone_named(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        ValueError: no backbone has that name; the message lists those there are.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}: choose one of {', '.join(BACKBONES)}")
    return BACKBONES[name]


class Bottleneck(nn.Module):
    """kt×1×1, then 1×3×3 (carrying the stride), then 1×1×1, around a shortcut."""

    def __init__(self, inputs: int, channels: int, temporal_kernel: int, stride: int):
        super().__init__()
        width = channels // 4
        self.conv1 = PlaneConv3d(inputs, width, (temporal_kernel, 1, 1))
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = PlaneConv3d(width, width, (1, 3, 3), stride)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = PlaneConv3d(width, channels, (1, 1, 1))
        self.bn3 = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(
                PlaneConv3d(inputs, channels, (1, 1, 1), stride), nn.BatchNorm3d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)  # BN's result: nobody else's
        return self.relu(y)


class ConvBlock(nn.Module):
    """One kt×3×3 convolution, BN, ReLU: the small network's block."""

    def __init__(self, inputs: int, channels: int, temporal_kernel: int, stride: int):
        super().__init__()
        self.conv1 = PlaneConv3d(inputs, channels, (temporal_kernel, 3, 3), stride)
        self.bn1 = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn1(self.conv1(x)))


class ResidualStage(nn.Sequential):
    """The blocks of one stage.

    Attributes:
        checkpoint: in training keep the blocks' inputs alone, and compute what lies between them a
            second time for the backward pass. BN counts a batch once all the same.
    """

    checkpoint = False

    def forward(self, x: Tensor) -> Tensor:
        if not (self.checkpoint and self.training and torch.is_grad_enabled()):
            return super().forward(x)
        for block in self:
            contexts = nullcontext(), _statistics_held(block)  # of the first pass, of the second
            x = checkpoint(block, x, use_reentrant=False, context_fn=lambda c=contexts: c)
        return x


@contextmanager
def _statistics_held(module: nn.Module) -> Iterator[None]:
    """Within it BN normalises by the batch, as in training, but leaves its running statistics."""
    layers = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:  # updated with weight 0, and counted on a copy (SyncBN insists on one)
        layer.momentum, layer.num_batches_tracked = 0.0, layer.num_batches_tracked.clone()
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count


def residual_stage(inputs: int, stage: Stage, stride: int | None = None) -> ResidualStage:
    """The blocks of one stage; ``stride`` overrides the stage's (the attention branch uses 1)."""
    block = Bottleneck if stage.bottleneck else ConvBlock
    first = stage.stride if stride is None else stride
    blocks = [block(inputs, stage.channels, stage.temporal_kernel, first)]
    for _ in range(stage.depth - 1):
        blocks.append(block(stage.channels, stage.channels, stage.temporal_kernel, 1))
    return ResidualStage(*blocks)


def initialise(module: nn.Module) -> None:
    """He initialisation of every convolution (fan-out, as in ResNet); BN starts as the identity."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")


class ResNet3d(nn.Module):
    """The baseline: a slow-pathway 3-D ResNet (Section 3.1.3 of the paper).

    ``features`` and ``perception`` are its two halves, cut where ST-ABN puts its attention branch;
    ``forward`` is one after the other.

    Args:
        backbone: ``"resnet50"``, ``"resnet101"`` or ``"small"``.
        num_classes: K.
        dropout: share of features dropped before the last linear layer.
    """

    def __init__(self, backbone: str, num_classes: int, dropout: float = 0.5):
        super().__init__()
        spec = backbone_named(backbone)
        self.backbone = spec
        self.conv1 = PlaneConv3d(3, spec.stem_channels, spec.stem_kernel, stride=2)
        self.bn1 = nn.BatchNorm3d(spec.stem_channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = PlaneMaxPool3d(3, stride=2, padding=1)
        channels = spec.stem_channels
        for number, stage in enumerate(spec.stages, start=1):
            self.add_module(f"layer{number}", residual_stage(channels, stage))
            channels = stage.channels
        self.norm = nn.BatchNorm1d(channels) if spec.norm_before_fc else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def extractor_modules(self) -> list[nn.Module]:
        """The feature extractor's layers, in order: stem and all stages but the last."""
        stages = [getattr(self, f"layer{i}") for i in range(1, len(self.backbone.stages))]
        # ReLU of the maximum is the maximum of ReLU's results, and has fewer numbers to look at
        return [self.conv1, self.bn1, self.maxpool, self.relu, *stages]

    def features(self, clip: Tensor) -> Tensor:
        """Feature maps f(x) at the attention point: (N, 3, T, H, W) → (N, C, T, H′, W′)."""
        for module in self.extractor_modules():
            clip = module(clip)
        return clip

    def perception(self, features: Tensor) -> Tensor:
        """Perception branch: feature maps (N, C, T, H′, W′) → logits (N, K)."""
        last_stage = getattr(self, f"layer{len(self.backbone.stages)}")
        pooled = last_stage(features).mean(dim=(2, 3, 4))  # (N, C)
        return self.fc(self.dropout(self.norm(pooled)))

    def forward(self, clip: Tensor) -> Tensor:
        """Logits (N, K) of normalised clips (N, 3, T, H, W), float32."""
        return self.perception(self.features(clip))


class Convolutions(nn.Module):
    """All that a 3-D ResNet does before it averages its maps, by the same parameter names.

    Args:
        backbone: ``"resnet50"``, ``"resnet101"`` or ``"small"``.

    Attributes:
        channels: C of the maps.
    """

    def __init__(self, backbone: str):
        super().__init__()
        whole = ResNet3d(backbone, num_classes=1)
        self.channels = whole.backbone.stages[-1].channels
        for name, module in whole.named_children():
            if name not in ("norm", "dropout", "fc"):
                self.add_module(name, module)

    def forward(self, clip: Tensor) -> Tensor:
        """Normalised clips (N, 3, T, H, W) → maps (N, C, T, H′, W′)."""
        maps = self.relu(self.maxpool(self.bn1(self.conv1(clip))))
        for name, stage in self.named_children():
            maps = stage(maps) if name.startswith("layer") else maps
        return maps


def count_parameters(model: nn.Module) -> int:
    """Number of parameters, trained or not."""
    return sum(p.numel() for p in model.parameters())


def count_multiply_adds(model: nn.Module, *inputs: Tensor) -> int:
    """Multiply–adds of one forward pass: convolutions, linear layers. Meta tensors will do.

    Of an LSTM they are counted on meta tensors alone.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    model.train(was_training)
    return counter.get_total_flops() // 2

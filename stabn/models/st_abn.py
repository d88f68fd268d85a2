"""ST-ABN: feature extractor → ST attention branch → fusion → perception branch (Figure 1)."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from stabn.models.attention import AttentionBranch, Fusion
from stabn.models.output import check_attention
from stabn.models.resnet3d import ResNet3d, initialise

# The variants of the 2022 public release, to be passed as ``STABN(..., **OFFICIAL)``.
OFFICIAL = {
    "class_head": "fc",
    "temporal_tail": "two_fc",
    "fusion": "paper",
    "fusion_relu": False,
}

CHOICES = {
    "class_head": ("fc", "gap"),
    "temporal_tail": ("two_fc", "literal"),
    "fusion": ("paper", "gated"),
    "attention_start": ("random", "evidence"),
}


class STABNOutput(NamedTuple):
    """What ST-ABN answers.

    Attributes:
        logits: (N, K), from the perception branch: the answer.
        attention_logits: (N, K), from the attention branch; None where that branch was skipped.
        spatial_attention: M_s as used, (N, 1, T, H′, W′) in [0, 1].
        temporal_attention: M_t as used, (N, T) in [0, 1].
    """

    logits: Tensor
    attention_logits: Tensor | None
    spatial_attention: Tensor
    temporal_attention: Tensor


class STABN(nn.Module):
    """Spatio-Temporal Attention Branch Network.

    Args:
        backbone: ``"resnet50"``, ``"resnet101"`` or ``"small"``.
        num_classes: K.
        num_frames: T, frames in a clip; the temporal head's layers have this size.
        class_head: ``"fc"`` (published code) or ``"gap"`` (paper's text).
        temporal_tail: ``"two_fc"`` (published code) or ``"literal"`` (paper's sentence).
        fusion: ``"paper"`` or ``"gated"`` (ours: M_t governs the spatial half too).
        fusion_relu: end the fusion with ReLU.
        closed: gated fusion: frames whose M_t is not above this are shut out (ours).
        attention_start: ``"random"`` (published code), or ``"evidence"`` (ours): before training,
            M_s and M_t are high where and when the class maps are.
        dropout: in the attention and the perception branch.
        constant_attention: ``(s, t)`` holds M_s ≡ s and M_t ≡ t and freezes their heads: the
            matched control, with the same parameters, class head and losses, but no attention.

    Raises:
        ValueError: an unknown backbone or variant; the message names the argument and the choices.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        num_frames: int,
        *,
        class_head: Literal["fc", "gap"] = "fc",
        temporal_tail: Literal["two_fc", "literal"] = "two_fc",
        fusion: Literal["paper", "gated"] = "paper",
        fusion_relu: bool = True,
        closed: float = 0.0,
        attention_start: Literal["random", "evidence"] = "random",
        dropout: float = 0.5,
        constant_attention: tuple[float, float] | None = None,
    ):
        super().__init__()
        chosen = {"class_head": class_head, "temporal_tail": temporal_tail, "fusion": fusion}
        chosen |= {"attention_start": attention_start}
        for argument, value in chosen.items():
            if value not in CHOICES[argument]:
                raise ValueError(f"{argument} must be one of {CHOICES[argument]}, not {value!r}")
        self.num_frames = num_frames
        self.constant_attention = constant_attention
        self.backbone = ResNet3d(backbone, num_classes, dropout)
        spec = self.backbone.backbone
        self.attention_branch = AttentionBranch(
            spec.feature_channels,
            spec.stages[-1],
            num_classes,
            num_frames,
            class_head=class_head,
            temporal_tail=temporal_tail,
            dropout=dropout,
        )
        self.fusion = Fusion(spec.feature_channels, fusion, fusion_relu, closed)
        initialise(self.attention_branch)
        initialise(self.fusion)
        if attention_start == "evidence":
            self.attention_branch.spatial_head.start_from_evidence()
            self.attention_branch.temporal_head.start_from_evidence()
        if constant_attention is not None:
            self.attention_branch.spatial_head.requires_grad_(False)
            self.attention_branch.temporal_head.requires_grad_(False)

    def extractor_modules(self) -> list[nn.Module]:
        """All that stands before the attention point."""
        return self.backbone.extractor_modules()

    def features(self, clip: Tensor) -> Tensor:
        """Feature maps f(x) at the attention point: (N, 3, T, H, W) → (N, C, T, H′, W′)."""
        return self.backbone.features(clip)

    def from_features(
        self,
        features: Tensor,
        *,
        spatial_attention: Tensor | None = None,
        temporal_attention: Tensor | None = None,
        invert_spatial: bool = False,
    ) -> STABNOutput:
        """Everything after the attention point; see :meth:`forward` for the arguments.

        When both attentions are given the attention branch is not run.

        Raises:
            ValueError: features of another T, or an attention of another shape.
        """
        n, _, t, height, width = features.shape
        if t != self.num_frames:
            raise ValueError(
                f"this network reads clips of {self.num_frames} frames, this one has {t}: "
                f"sample {self.num_frames} frames"
            )
        check_attention("spatial_attention", spatial_attention, (n, 1, t, height, width))
        check_attention("temporal_attention", temporal_attention, (n, t))

        attention_logits, spatial, temporal = None, spatial_attention, temporal_attention
        if spatial is None or temporal is None:
            branch = self.attention_branch(features)
            attention_logits = branch.logits
            own_spatial, own_temporal = branch.spatial_attention, branch.temporal_attention
            if self.constant_attention is not None:
                own_spatial = torch.full_like(own_spatial, self.constant_attention[0])
                own_temporal = torch.full_like(own_temporal, self.constant_attention[1])
            spatial = own_spatial if spatial is None else spatial
            temporal = own_temporal if temporal is None else temporal
        if invert_spatial:
            spatial = 1 - spatial  # equation (7)
        logits = self.backbone.perception(self.fusion(features, spatial, temporal))
        return STABNOutput(logits, attention_logits, spatial, temporal)

    def forward(
        self,
        clip: Tensor,
        *,
        spatial_attention: Tensor | None = None,
        temporal_attention: Tensor | None = None,
        invert_spatial: bool = False,
    ) -> STABNOutput:
        """Classify normalised clips and say where and when the network looked.

        Args:
            clip: float (N, 3, T, H, W), normalised.
            spatial_attention: (N, 1, T, H′, W′) in [0, 1] to use in place of the head's M_s.
            temporal_attention: (N, T) in [0, 1] to use in place of the head's M_t.
            invert_spatial: use 1 − M_s (equation (7), the paper's Table 3).
        """
        return self.from_features(
            self.features(clip),
            spatial_attention=spatial_attention,
            temporal_attention=temporal_attention,
            invert_spatial=invert_spatial,
        )

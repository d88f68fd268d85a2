"""The arms of a fine-tuning: copies of one network that differ in what pulls their M_t."""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from stabn.data.dataset import Batch
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.targets import Levels, at_frames
from stabn.losses import ClassificationLoss, loss_of, temporal_loss
from stabn.models.behind_encoder import BehindEncoder
from stabn.models.output import VideoOutput
from stabn.models.st_abn import STABN, STABNOutput
from stabn.training.nonfinite import NonFiniteLossError
from stabn.training.process import Process, autocast

Taught = STABN | BehindEncoder  # a network whose M_t edits can correct


@dataclass
class Arm:
    """One network on its way, with what L_temp pulls its M_t towards (None: nothing).

    ``shares`` says that its M_t sums to 1 over a clip, as that of a softmax does.
    """

    name: str
    levels: Levels | None
    network: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler
    scaler: torch.amp.GradScaler
    shares: bool


class Told(NamedTuple):
    """What a step says of itself: both losses, logits (n, K), labels (n,), and γ_t · L_temp."""

    loss: ClassificationLoss
    logits: Tensor
    labels: Tensor
    temporal: Tensor


class FromFeatures(nn.Module):
    """What is trained of a network: all that follows its extractor."""

    def __init__(self, model: Taught):
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> STABNOutput | VideoOutput:
        """f(x), as the network's ``features`` gives it, to its answer."""
        return self.model.from_features(features)


def trained_together(model: Taught, me: Process) -> nn.Module:
    """A module from features to the network's output; its gradients are averaged over processes."""
    network = FromFeatures(model)
    return DistributedDataParallel(network) if me.world_size > 1 else network


def trainable_copy(model: Taught) -> Taught:
    """A copy whose extractor is frozen and shared; all that follows it is trained."""
    shared = {id(m): m for part in model.extractor_modules() for m in part.modules()}
    arm = copy.deepcopy(model, shared).train()
    for module in model.extractor_modules():
        module.eval().requires_grad_(False)
    return arm


def take_step(
    arm: Arm,
    features: Tensor,
    batch: Batch,
    config: FinetuneConfig,
    precision: str,
    me: Process,
) -> Told:
    """One optimizer step of one arm: L_att + L_per + γ_t · L_temp (equation (5)).

    A network without an attention branch has no L_att. Weights that sum to 1 cannot be 1 on several
    frames: they are multiplied by the sum of the edit's levels before they are compared with these.
    L_temp is then 0 where each frame has its share of the edit, and γ_t counts errors of levels, as
    it does for a sigmoid. An edit that is 0 all over asks for nothing.

    Raises:
        NonFiniteLossError: NaN or infinite; the weights are as they were.
    """
    labels = batch.label.to(me.device, non_blocking=True)
    target, edited = at_frames(arm.levels, batch.video_id, batch.frame_indices)
    target, edited = target.to(me.device), edited.to(me.device)
    with autocast(precision, me.device):
        output = arm.network(features)
        loss = loss_of(output, labels)
    m_t = output.temporal_attention.float()
    if arm.shares:
        m_t = m_t * target.sum(dim=1, keepdim=True)
    temporal = temporal_loss(m_t, target, edited, config.gamma, divisor(config, edited, me))
    total = loss.total + temporal
    if not torch.isfinite(total):
        raise NonFiniteLossError(
            f"{arm.name}: the loss is {total.item()}: lower lr or gamma, and look at these videos: "
            f"{', '.join(batch.video_id)}"
        )
    arm.optimizer.zero_grad(set_to_none=True)
    arm.scaler.scale(total).backward()
    arm.scaler.step(arm.optimizer)
    arm.scaler.update()
    return Told(loss, output.logits.detach(), labels, temporal.detach())


def divisor(config: FinetuneConfig, edited: Tensor, me: Process) -> Tensor:
    """What L_temp's sum is divided by, so that the mean over processes is the whole batch's."""
    count = torch.full_like(edited, True) if config.divisor == "batch" else edited
    total = count.sum().float()
    if me.world_size > 1:
        dist.all_reduce(total)
    return total.clamp(min=1) / me.world_size

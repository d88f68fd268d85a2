"""A network that answers and learns no more: batch normalisation computed into the weights.

In evaluation BN maps channel c to s_c·x + t_c, with numbers that no clip changes. The layer beside
it is linear too, so its weights can do both at once: nothing is left between a convolution and its
ReLU, and the clip is read and written once less for each BN. Answers are the same up to rounding.

The copy is for scoring alone. What is trained or saved keeps its BN.
"""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from stabn.models.attention import AttentionBranch
from stabn.models.resnet3d import ResNet3d


@torch.no_grad()
def folded(network: nn.Module) -> nn.Module:
    """A copy in eval mode without BN, on the same device; the network itself stays as it is.

    Every BN that is defined right after a convolution is applied right after it, in all networks
    of this library. Two kinds stand *before* a layer: BN before the 1×1×1 convolution to classes,
    and before the last linear layer.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        for (_, layer), (name, bn) in pairwise(list(module.named_children())):
            if isinstance(layer, nn.Conv2d | nn.Conv3d) and isinstance(bn, _BatchNorm):
                fold_back(layer, bn)
                setattr(module, name, nn.Identity())
        if isinstance(module, ResNet3d) and isinstance(module.norm, nn.BatchNorm1d):
            fold_forward(module.norm, module.fc)
            module.norm = nn.Identity()
        elif isinstance(module, AttentionBranch):
            fold_forward(module.to_classes[0], module.to_classes[1])
            module.to_classes[0] = nn.Identity()
    return network


@torch.no_grad()
def fold_back(layer: nn.Conv2d | nn.Conv3d, bn: _BatchNorm) -> None:
    """Change ``layer`` so that layer(x) is what bn(layer(x)) was, with BN's running statistics."""
    scale, shift = _scale_and_shift(bn)
    bias = shift if layer.bias is None else shift + scale * layer.bias
    _replace(layer, (layer.weight.flatten(1) * scale[:, None]), bias)


@torch.no_grad()
def fold_forward(bn: _BatchNorm, layer: nn.Linear | nn.Conv3d) -> None:
    """Change ``layer`` so that layer(x) is what layer(bn(x)) was, with BN's running statistics.

    The weights of channel c are multiplied by s_c, and what t_c gave is a bias. ``layer`` must look
    at one place and pad nothing: zeros at an edge come after BN and would be shifted too.
    """
    scale, shift = _scale_and_shift(bn)
    weight = layer.weight.flatten(1)  # (outputs, C)
    bias = weight @ shift + (0 if layer.bias is None else layer.bias)
    _replace(layer, weight * scale, bias)


def _scale_and_shift(bn: _BatchNorm) -> tuple[Tensor, Tensor]:
    """s and t, each (C,)."""
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    return scale, bn.bias - bn.running_mean * scale


def _replace(layer: nn.Linear | nn.Conv2d | nn.Conv3d, weight: Tensor, bias: Tensor) -> None:
    layer.weight = nn.Parameter(weight.reshape(layer.weight.shape), requires_grad=False)
    layer.bias = nn.Parameter(bias, requires_grad=False)

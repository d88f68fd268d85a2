"""A network as other programs read it: PyTorch's own 3-D layers, less batch normalisation.

:mod:`stabn.models.planes` computes in two dimensions, which takes many small steps to write down;
here a convolution of a clip is one step again, with the same weights.
"""

import copy

import torch
from torch import Tensor, nn

from stabn.models.attention import AttentionBranch
from stabn.models.planes import PlaneConv3d, PlaneMaxPool3d
from stabn.models.resnet3d import ResNet3d


def plain(network: nn.Module) -> nn.Module:
    """A copy with PyTorch's own three-dimensional layers and the same weights."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, PlaneConv3d):
                shape = (child.in_channels, child.out_channels, child.kernel_size)
                own = nn.Conv3d(*shape, child.stride, child.padding, bias=False)
                own.weight, own.training = child.weight, child.training
                setattr(parent, name, own)
            elif isinstance(child, PlaneMaxPool3d):
                setattr(parent, name, nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)))
    return network


def answering(network: nn.Module) -> nn.Module:
    """:func:`plain`, in eval mode, with each BN that stands *before* a layer folded into it.

    That is exact where nothing lies in between and the layer pads nothing: BN before the 1×1×1
    convolution to classes, and before the last linear layer. The many that stand behind a
    convolution are folded by the exporter itself.
    """
    network = plain(network).eval()
    for module in network.modules():
        if isinstance(module, ResNet3d) and isinstance(module.norm, nn.BatchNorm1d):
            fold_forward(module.norm, module.fc)
            module.norm = nn.Identity()
        elif isinstance(module, AttentionBranch):
            fold_forward(module.to_classes[0], module.to_classes[1])
            module.to_classes[0] = nn.Identity()
    return network


@torch.no_grad()
def fold_forward(bn: nn.BatchNorm1d | nn.BatchNorm3d, layer: nn.Linear | nn.Conv3d) -> None:
    """Change ``layer`` so that layer(x) is what layer(bn(x)) was, with BN's running statistics.

    BN maps channel c to s_c·x + t_c. So the weights of c are multiplied by s_c, and what t_c gave
    is a bias. ``layer`` must pad nothing: zeros at an edge come after BN and would be shifted too.
    """
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()  # (C,)
    shift = bn.bias - bn.running_mean * scale  # (C,)
    weight: Tensor = layer.weight.flatten(1)  # (outputs, C)
    bias = weight @ shift + (0 if layer.bias is None else layer.bias)
    layer.bias = nn.Parameter(bias)
    layer.weight = nn.Parameter((weight * scale).reshape(layer.weight.shape))

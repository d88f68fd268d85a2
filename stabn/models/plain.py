"""A network as other programs read it: PyTorch's own 3-D layers, and no batch normalisation.

:mod:`stabn.models.planes` computes in two dimensions, which takes many small steps to write down;
here a convolution of a clip is one step again, with the same weights.
"""

import copy

from torch import nn

from stabn.models.folded import folded
from stabn.models.planes import PlaneConv3d, PlaneMaxPool3d


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
    """:func:`plain`, in eval mode, with BN computed into the weights."""
    return folded(plain(network))

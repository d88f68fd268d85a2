"""Several processes train one network: the mean of their gradients, and rank 0's statistics."""

import pytest
import torch
from torch import nn

from stabn.training.averaging import averaging, share_statistics
from stabn.training.process import joined
from tests.side_by_side import side_by_side

pytestmark = pytest.mark.slow(5)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(3, 4, 1, bias=False), nn.BatchNorm3d(4))


def clips(rank: int) -> torch.Tensor:
    return torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(rank))


def stepped(rank: int, times: int, trained: nn.Module) -> None:
    for _ in range(times):
        trained.zero_grad(set_to_none=True)
        trained(clips(rank)).square().mul(torch.arange(4.0).view(4, 1, 1, 1)).mean().backward()


def compare() -> None:
    alone = [network(), network()]
    for rank, model in enumerate(alone):
        stepped(rank, 2, model)
    gradients = [[p.grad for p in model.parameters()] for model in alone]
    with joined() as me:
        model = network()
        stepped(me.rank, 2, averaging(model, me))
        for mine, *both in zip(model.parameters(), *gradients, strict=True):
            torch.testing.assert_close(mine.grad, sum(both) / 2)
        own, first = (alone[rank].state_dict() for rank in (me.rank, 0))
        named = dict(model.named_buffers())
        assert all(torch.equal(tensor, own[name]) for name, tensor in named.items())
        share_statistics(model, me)
        assert all(torch.equal(tensor, first[name]) for name, tensor in named.items())
    assert not torch.equal(*(model[1].running_mean for model in alone))


def test_two_processes_have_the_mean_gradient_and_end_with_the_first_ones_statistics():
    ended = side_by_side(2, compare)
    assert [end.status for end in ended] == [0, 0], ended

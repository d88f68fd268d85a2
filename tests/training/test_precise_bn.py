"""BN's statistics are those of all that its layers saw, on every process together."""

import itertools
import os
from dataclasses import replace

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from stabn.data.transforms import normalise
from stabn.training import step
from stabn.training.build import build_model, train_loader
from stabn.training.checkpoint import read
from stabn.training.forward import forward
from stabn.training.journal import read_journal
from stabn.training.precise_bn import set_statistics
from stabn.training.process import Process
from stabn.training.train import train
from tests.side_by_side import side_by_side

pytestmark = pytest.mark.slow(4)

ALONE = Process(0, 1, torch.device("cpu"))


@torch.no_grad()
def slowly(model, clips) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """{layer: mean and variance} of everything that it was given, kept and put together."""
    given: dict[str, list[torch.Tensor]] = {}
    layers = {name: m for name, m in model.named_modules() if isinstance(m, _BatchNorm)}
    model.eval()
    for name, layer in layers.items():
        keep = given.setdefault(name, []).append
        layer.train().register_forward_pre_hook(lambda _, inputs, keep=keep: keep(inputs[0]))
    for clip in clips:
        model(clip)
    everything = {
        name: torch.cat(seen).double().transpose(0, 1).flatten(1) for name, seen in given.items()
    }
    return {name: (x.mean(dim=1), x.var(dim=1)) for name, x in everything.items()}


def assert_statistics(state, expected) -> None:
    for name, (mean, variance) in expected.items():
        ours = state[f"{name}.running_mean"].double(), state[f"{name}.running_var"].double()
        torch.testing.assert_close(ours, (mean, variance), rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("model", ["baseline", "st_abn"])
def test_mean_and_variance_of_all_clips(tiny, model):
    torch.manual_seed(0)
    network = build_model(tiny(model=model), 3).train()
    twin = build_model(tiny(model=model), 3)
    twin.load_state_dict(network.state_dict())
    clips = [normalise(torch.randint(256, (n, 3, 4, 24, 24), dtype=torch.uint8)) for n in (2, 5, 3)]
    before = {name: p.clone() for name, p in network.named_parameters()}
    set_statistics(network, clips, ALONE)
    assert_statistics(network.state_dict(), slowly(twin, clips))
    assert network.training
    assert all(torch.equal(before[name], p) for name, p in network.named_parameters())
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert network.state_dict().keys() == twin.state_dict().keys()


def test_what_is_evaluated_and_kept_has_them(tiny):
    config = tiny(precise_bn=2, epochs=1)
    train(config)
    for name in ("best", "last"):
        state = read(config.folder / f"{name}.pt")["model"]
        network = build_model(config, 3)
        network.load_state_dict(state)
        batches = list(train_loader(config, ALONE))[:2]
        assert_statistics(state, slowly(network, [normalise(batch.video) for batch in batches]))


def train_spoilt(config) -> None:
    """Train; rank 1's second step is not finite."""
    calls = itertools.count(1)

    def clips(network, batch, device):
        spoilt = (next(calls), os.environ["RANK"]) == (2, "1")
        video = normalise(batch.video) * (torch.nan if spoilt else 1)
        return forward(network, replace(batch, video=video), device)

    step.forward = clips
    train(config)


def test_two_processes_share_them_and_leave_out_the_same_steps(tiny):
    """Neither takes the step that is not finite for one, and both go on."""
    config = tiny(precise_bn=2, max_nonfinite_steps=1, epochs=1)
    ended = side_by_side(2, train_spoilt, config)
    assert [end.status for end in ended] == [0, 0], ended

    shares = [list(train_loader(config, Process(rank, 2, torch.device("cpu")))) for rank in (0, 1)]
    (line,) = read_journal(config.folder / "nonfinite_steps.jsonl")
    assert line["step"] == 2
    (cause,) = line["causes"]
    assert cause.endswith(f"these videos: {', '.join(shares[1][1].video_id)}")
    state = read(config.folder / "last.pt")["model"]
    network = build_model(config, 3)
    network.load_state_dict(state)
    clips = [normalise(batch.video) for share in shares for batch in share[:2]]
    assert_statistics(state, slowly(network, clips))

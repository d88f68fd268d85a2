"""A step whose loss or gradient is not finite stops a run, or is left out without a trace."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stabn.data.transforms import normalise
from stabn.training.build import build_model, train_loader
from stabn.training.checkpoint import read
from stabn.training.config import RunConfig
from stabn.training.forward import forward
from stabn.training.journal import read_journal
from stabn.training.nonfinite import NonFiniteLossError, SkippedSteps
from stabn.training.process import Process
from stabn.training.train import train

pytestmark = pytest.mark.slow(5)

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def spoiling(monkeypatch):
    """A function that spoils what the steps of these numbers (from 1 on) compute."""

    def spoil(what: str, *steps: int) -> None:
        calls = 0

        def clips(network, batch, device):
            nonlocal calls
            calls += 1
            video = normalise(batch.video) * (torch.nan if calls in steps else 1)
            return forward(network, replace(batch, video=video), device)

        def norm(parameters, most, clip=nn.utils.clip_grad_norm_):
            nonlocal calls
            calls += 1
            return clip(parameters, most) * (torch.inf if calls in steps else 1)

        if what == "loss":
            monkeypatch.setattr("stabn.training.step.forward", clips)
        else:
            monkeypatch.setattr("stabn.training.step.nn.utils.clip_grad_norm_", norm)

    return spoil


def described(tiny, **values) -> RunConfig:
    plain = {"optimizer": "sgd", "nesterov": False, "lr": 0.05, "schedule": "milestones"}
    return tiny(model="baseline", dropout=0, epochs=1, **plain, **values)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_the_run_is_what_it_would_be_without_that_batch(tiny, spoiling, what):
    """The obvious loop, which passes over the second of three batches; its BN has not seen it."""
    config = described(tiny, max_nonfinite_steps=1)
    spoiling(what, 2)
    train(config)

    torch.manual_seed(config.seed)
    model = build_model(config, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9, weight_decay=config.weight_decay)
    first, left_out, last = train_loader(config, ALONE)
    for batch in (first, last):
        optimizer.zero_grad()
        cross_entropy(model(normalise(batch.video)), batch.label).backward()
        optimizer.step()
    for name, tensor in read(config.folder / "last.pt")["model"].items():
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=1e-4, atol=1e-5)

    (line,) = read_journal(config.folder / "nonfinite_steps.jsonl")
    assert (line["epoch"], line["step"]) == (1, 2)
    (cause,) = line["causes"]
    assert cause.endswith(f"these videos: {', '.join(left_out.video_id)}")
    steps = [line["step"] for line in read_journal(config.folder / "metrics.jsonl") if "lr" in line]
    assert steps == [1, 3]  # nothing is told of a step that was not taken


def test_one_more_than_allowed_stops_the_run(tiny, spoiling):
    config = described(tiny, max_nonfinite_steps=1)
    spoiling("loss", 1, 3)
    with pytest.raises(NonFiniteLossError, match=r"at step 3: lower lr.*; 1 steps were left out"):
        train(config)
    assert "left out before it" in (config.folder / "non_finite_loss-0.txt").read_text()


def test_the_count_goes_on_where_the_run_does(tmp_path):
    path = tmp_path / "nonfinite_steps.jsonl"
    skipped = SkippedSteps(path, 0, 5, ALONE)
    for step in (2, 4):
        skipped._enter(1, step, NonFiniteLossError("the loss is nan"))
    assert SkippedSteps(path, 4, 5, ALONE).count == 2
    assert SkippedSteps(path, 3, 5, ALONE).count == 1  # step 4 is done again
    assert [line["step"] for line in read_journal(path)] == [2]

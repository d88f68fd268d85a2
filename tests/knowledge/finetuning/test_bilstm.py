"""A bi-LSTM's attention over time learns from the same edits; its weights are shares of 1."""

import logging

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stabn.data.dataset import Batch
from stabn.data.transforms import normalise
from stabn.knowledge.finetuning import features as keeping
from stabn.knowledge.finetuning.arms import Arm, take_step
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.finetune import finetune
from stabn.knowledge.finetuning.preflight import preflight
from stabn.models.output import VideoOutput
from stabn.training.build import build_model, class_texts, train_loader
from stabn.training.checkpoint import CheckpointError, load, read, save
from stabn.training.config import ConfigError
from stabn.training.process import Process
from stabn.training.records import read_record
from stabn.training.resume import step_seed
from tests.preflights import found

pytestmark = pytest.mark.slow(10)

ALONE = Process(0, 1, torch.device("cpu"))
SMALL = {"units": 4, "dense": 8}


@pytest.fixture(scope="module")
def settings_of(settings, tiny):
    """Descriptions of fine-tunings of a bi-LSTM that was never trained."""

    def configure(network: dict, prepared: str | None = None, **values) -> FinetuneConfig:
        how = {"network": SMALL | network, "dropout": 0.2, "prepared": prepared}
        run = tiny(model="bilstm", **how)
        torch.manual_seed(0)
        classes = class_texts(run)
        run.folder.mkdir(parents=True)
        save(run.folder / "best.pt", build_model(run, len(classes)), run, classes)
        return settings(run=str(run.folder), **{"epochs": 1, "arms": ["knowledge"]} | values)

    return configure


class Weights(nn.Module):
    """A softmax of free numbers, whatever the clip."""

    def __init__(self, weights: list[float]):
        super().__init__()
        self.energy = nn.Parameter(torch.tensor(weights).log())

    def forward(self, features: torch.Tensor) -> VideoOutput:
        n = len(features)
        return VideoOutput(
            torch.zeros(n, 2), temporal_attention=self.energy.softmax(dim=0).expand(n, -1)
        )


def learning(weights: list[float], levels: list[float], settings, lr: float = 0.0):
    """What one step says, again and again, and the weights after it."""
    network = Weights(weights)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    towards = {"a": torch.tensor(levels).numpy()}
    arm = Arm("knowledge", towards, network, optimizer, None, scaler, shares=True)
    batch = Batch(torch.zeros(1), torch.zeros(1, dtype=int), ["a"], torch.arange(len(levels))[None])
    config = settings(gamma=10)
    while True:
        told = take_step(arm, torch.zeros(1, 1), batch, config, "fp32", ALONE)
        yield told.temporal.item(), network.energy.softmax(dim=0).detach()


@pytest.mark.parametrize(
    ("weights", "levels", "loss"),
    [
        ([0.25] * 4, [1, 1, 0, 0], 10 * 0.25),  # each frame has half of what it should have
        ([0.5, 0.5, 1e-9, 1e-9], [1, 1, 0, 0], 0),
        ([0.4, 0.2, 0.2, 0.2], [0.5, 0, 0, 0], 10 * (0.3**2 + 3 * 0.1**2) / 4),
        ([0.25] * 4, [0.5] * 4, 0),
        ([0.7, 0.1, 0.1, 0.1], [0, 0, 0, 0], 0),  # of nothing no frame can have a share
    ],
)
def test_the_loss_is_0_where_each_frame_has_its_share_of_the_edit(settings, weights, levels, loss):
    temporal, _ = next(learning(weights, levels, settings))
    assert temporal == pytest.approx(loss, abs=1e-5)


def test_the_weights_come_to_the_shares(settings):
    steps = learning([0.1, 0.2, 0.3, 0.4], [1, 1, 0.5, 0.5], settings, lr=0.05)
    *_, (loss, reached) = (next(steps) for _ in range(400))
    assert loss < 1e-3
    torch.testing.assert_close(reached, torch.tensor([2, 2, 1, 1]) / 6, atol=0.01, rtol=0)


@pytest.mark.parametrize("place", ["before", "after"])
def test_it_is_the_obvious_loop(settings_of, edits, place):
    """Plain gradient descent on the whole network's own forward pass, loss written out."""
    config = settings_of({"attention": place})
    finetune(config)
    model = load(config.start).model
    levels = {edit.video_id: torch.tensor(edit.levels) for edit in edits}
    loader = train_loader(config.as_run(load(config.start).config), ALONE)
    for step, batch in enumerate(loader):
        model.train()
        model.encoder.eval().requires_grad_(False)
        torch.manual_seed(step_seed(config.seed, step, 0))
        out = model(normalise(batch.video))
        loss, errors = cross_entropy(out.logits, batch.label), []
        for i, video_id in enumerate(batch.video_id):
            if video_id in levels:
                edit = levels[video_id][batch.frame_indices[i]]
                errors.append((edit - edit.sum() * out.temporal_attention[i]).square().mean())
        if errors:
            loss = loss + config.gamma * torch.stack(errors).mean()
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.network.parameters():
                parameter -= config.lr * parameter.grad
    ours = load(config.folder / "knowledge.pt").model
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    untouched = load(config.start).model.encoder.state_dict()
    assert all(torch.equal(t, ours.encoder.state_dict()[name]) for name, t in untouched.items())


def test_all_arms_are_scored_and_put_beside_the_truth(settings_of):
    config = settings_of({}, arms=["knowledge", "control", "placebo"])
    assert config.invert_spatial  # which an attention over time alone does not have
    finetune(config)
    results = read_record(config.folder / "record.json")["results"]
    assert list(results) == [f"{arm}-validation" for arm in ("before", *config.arms)]
    assert all(figures["rank_correlation"]["n"] for figures in results.values())
    trained = [read(config.folder / f"{arm}.pt")["model"] for arm in config.arms]
    kernels = [model["network.attention.fc.weight"] for model in trained]
    assert not any(torch.equal(a, b) for i, a in enumerate(kernels) for b in kernels[:i])


def test_features_that_are_kept_teach_the_same_to_the_last_bit(settings_of, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    anew, kept = (settings_of({"pooled": True}, epochs=2, draws=1) for _ in range(2))
    with monkeypatch.context() as full:
        full.setattr(keeping, "free_bytes", lambda folder: 1000)
        finetune(anew)
    finetune(kept)
    assert "is computed once and kept" in caplog.text
    ours, theirs = (read(config.folder / "knowledge.pt")["model"] for config in (anew, kept))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_preflight_looks_at_it_as_at_any(settings_of, caplog):
    caplog.set_level(logging.INFO)
    preflight(settings_of({"attention": "before"}))
    assert "3 steps and scoring 2 networks: until" in found(caplog.messages, "ok", "time")[0]


def test_a_network_without_a_weight_for_each_frame_is_refused(settings_of):
    fit = r".*fine-tune an ST-ABN, or a bilstm with attention, that reads frames"
    with pytest.raises(CheckpointError, match=r"best\.pt: has no attention to correct" + fit):
        finetune(settings_of({"attention": "none"}))
    of_features = {"encoder": "vgg16", "pooled": True}
    with pytest.raises(CheckpointError, match="reads features of vgg16" + fit):
        finetune(settings_of(of_features, prepared="data/features"))
    with pytest.raises(ConfigError, match="fusion: is ST-ABN's; leave it out for bilstm"):
        finetune(settings_of({}, fusion="gated"))

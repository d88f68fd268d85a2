"""Training is the obvious loop; it goes on after an interruption as if there had been none."""

import copy
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from stabn.data.transforms import normalise
from stabn.losses import classification_loss
from stabn.training.build import build_model, class_texts, split_videos, train_loader
from stabn.training.checkpoint import read
from stabn.training.config import ConfigError, RunConfig
from stabn.training.journal import Journal, read_journal
from stabn.training.nonfinite import NonFiniteLossError
from stabn.training.optimizer import make_optimizer, make_schedule
from stabn.training.process import Process
from stabn.training.records import read_record
from stabn.training.resume import step_seed
from stabn.training.train import train
from tests.journals import untimed
from tests.side_by_side import side_by_side, stabn_on

pytestmark = pytest.mark.slow(20)

ALONE = Process(0, 1, torch.device("cpu"))


def weights(config, which: str = "last") -> dict[str, torch.Tensor]:
    return read(config.folder / f"{which}.pt")["model"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_is_the_obvious_loop(tiny):
    """Momentum, weight decay and clipping written out; clips from the loader in its order."""
    config = tiny(
        model="baseline",
        dropout=0,
        optimizer="sgd",
        nesterov=False,
        lr=0.05,
        clip_norm=1.0,
        schedule="milestones",
        milestones=[1],
    )
    train(config)

    torch.manual_seed(config.seed)
    model = build_model(config, 3)
    velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    loader = train_loader(config, ALONE)
    for epoch, lr in enumerate([0.05, 0.005]):
        loader.batch_sampler.epoch = epoch
        for batch in loader:
            model.zero_grad()
            cross_entropy(model(normalise(batch.video)), batch.label).backward()
            gradients = {name: p.grad for name, p in model.named_parameters()}
            norm = torch.sqrt(sum((g**2).sum() for g in gradients.values()))
            factor = min(1.0, config.clip_norm / float(norm))
            with torch.no_grad():
                for name, p in model.named_parameters():
                    g = factor * gradients[name] + config.weight_decay * p
                    velocity[name] = config.momentum * velocity[name] + g
                    p -= lr * velocity[name]
    for name, tensor in weights(config).items():
        torch.testing.assert_close(
            tensor,
            model.state_dict()[name],
            rtol=1e-4,
            atol=1e-5,
            msg=lambda m, n=name: f"{n}: {m}",
        )


def test_it_learns(tiny):
    config = tiny(epochs=8, batch_size=12, dropout=0, lr=5e-3)
    train(config)
    losses = [line["train_total"] for line in read_journal(config.folder / "metrics.jsonl")[::2]]
    assert losses[-1] < 0.7 * losses[0]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny):
    first, again, other = tiny(epochs=1), tiny(epochs=1), tiny(epochs=1, seed=1)
    for config in (first, again, other):
        train(config)
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


@pytest.fixture(scope="module")
def uninterrupted(tiny):
    """{schedule: a run that nothing stopped}."""
    schedules = ("one_cycle", "plateau")
    runs = {name: tiny(save_every=2, dropout=0.5, schedule=name) for name in schedules}
    for config in runs.values():
        train(config)
    return runs


@pytest.mark.parametrize(
    ("schedule", "stop_after"), [("one_cycle", 2), ("one_cycle", 3), ("plateau", 5)]
)
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    tiny, uninterrupted, monkeypatch, schedule, stop_after
):
    """Killed after a step of the first epoch, at its end, and in the second; dropout is on."""
    whole = uninterrupted[schedule]
    torn = whole.model_copy(update={"out_dir": tiny().out_dir})

    class Killed(BaseException):
        pass

    def kill(journal, epoch, step, *rest, write=Journal.trained):
        write(journal, epoch, step, *rest)
        if step == stop_after:
            raise Killed

    monkeypatch.setattr(Journal, "trained", kill)
    with pytest.raises(Killed):
        train(torn)
    monkeypatch.undo()
    train(torn)
    assert same(weights(whole), weights(torn))
    assert same(weights(whole, "best"), weights(torn, "best"))
    told = [untimed(config.folder / "metrics.jsonl") for config in (whole, torn)]
    assert told[0] == told[1]  # no step is told twice, none is missing


def test_a_finished_run_is_left_alone(tiny, caplog):
    config = tiny(epochs=1)
    train(config)
    kept = {path: path.read_bytes() for path in config.folder.glob("*.p*")}
    caplog.set_level(logging.INFO)
    train(config)
    assert "trained and reported already" in caplog.text
    assert kept == {path: path.read_bytes() for path in config.folder.glob("*.p*")}


def test_a_record_that_a_kill_left_half_done_is_completed(tiny, monkeypatch):
    """Killed after the report's figures, before the run's own."""
    config = tiny(epochs=1)

    class Killed(BaseException):
        pass

    def kill():
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("stabn.training.train.peak_memory", kill)
        with pytest.raises(Killed):
            train(config)
    path = config.folder / "record.json"
    assert read_record(path)["results"]
    assert read_record(path)["wall_seconds"] is None
    train(config)
    record = read_record(path)
    assert record["wall_seconds"] > 0
    assert record["best"]["epoch"] == 1


def test_a_run_of_another_configuration_is_not_continued(tiny):
    config = tiny(epochs=1)
    train(config)
    before = (config.folder / "config.yaml").read_bytes()
    changed = config.model_copy(update={"lr": 0.5, "workers": 1})
    with pytest.raises(ConfigError, match=r"another configuration: lr \(0.001 there, 0.5 here\);"):
        train(changed)
    assert (config.folder / "config.yaml").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_with_the_videos(tiny):
    config = tiny(optimizer="sgd", lr=1e30, schedule="plateau", save_every=1)
    with pytest.raises(NonFiniteLossError, match=r"lower lr.*these videos: (\d+, ){3}\d+$"):
        train(config)
    assert not (config.folder / "best.pt").exists()
    kept = (config.folder / "non_finite_loss-0.txt").read_text()
    assert kept.startswith("the loss is ")
    assert set(re.findall(r"\d+", kept.partition("these videos: ")[2])) <= set(train_ids(config))


def train_ids(config: RunConfig) -> list[str]:
    return [record.video_id for record in split_videos(config, config.train_split)[0]]


def test_a_folder_that_cannot_be_written(tiny, tmp_path):
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(ConfigError, match=r"out_dir: .*cannot be written \(.*choose another"):
        train(tiny(out_dir=str(tmp_path / "runs")))


def test_no_permission(tiny, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    config = tiny()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError, match=r"out_dir: .*cannot be written \(Permission denied\)"):
        train(config)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batch_size": 13}, "12 clips of train"),
        ({"train_split": "x"}, "x.json"),
        ({"report_split": "x"}, "x.json"),
    ],
)
def test_what_the_data_cannot_give_is_said_before_anything_is_trained(tiny, values, said):
    config = tiny(**values)
    with pytest.raises(ValueError, match=said):
        train(config)
    assert not (config.folder / "metrics.jsonl").exists()


def test_a_batch_that_the_processes_cannot_share(tiny):
    with pytest.raises(ConfigError, match=r"batch_size: 4 cannot be shared by 3 processes"):
        train_loader(tiny(), Process(0, 3, torch.device("cpu")))


def test_a_global_batch_is_the_same_for_any_number_of_processes(tiny):
    def batches(world_size):
        loaders = [
            train_loader(tiny(), Process(rank, world_size, torch.device("cpu")))
            for rank in range(world_size)
        ]
        for shares in zip(*loaders, strict=True):
            clips = {}
            for share in shares:
                clips |= dict(zip(share.video_id, share.video, strict=True))
            yield clips

    for alone, shared in zip(batches(1), batches(2), strict=True):
        assert alone.keys() == shared.keys()
        assert all(torch.equal(alone[video_id], shared[video_id]) for video_id in alone)


def test_two_processes_step_along_the_mean_of_their_gradients(tiny):
    """DDP written out: BN sees each share alone, and its running statistics are rank 0's."""
    config = tiny(
        seed=1,  # with 0 a ReLU's input is so near to 0 that the order of a sum decides its sign
        dropout=0,
        optimizer="sgd",
        momentum=0,
        nesterov=False,
        lr=0.05,
        schedule="plateau",
        batch_size=12,
    )
    said = stabn_on(2, "train", config)
    assert said.count("epoch 2  step 2/2") == 1  # rank 0 alone tells

    torch.manual_seed(config.seed)
    model = build_model(config, 3)
    parameters = dict(model.named_parameters())
    shares = [train_loader(config, Process(rank, 2, torch.device("cpu"))) for rank in (0, 1)]
    for epoch in range(config.epochs):
        gradients = []
        for share in shares:
            share.batch_sampler.epoch = epoch
        batches = [next(iter(share)) for share in shares]  # one global batch an epoch
        replicas = [copy.deepcopy(model) for _ in batches]
        for replica, batch in zip(replicas, batches, strict=True):
            output = replica(normalise(batch.video))
            loss = classification_loss(output.logits, output.attention_logits, batch.label)
            loss.total.backward()
            gradients.append({name: p.grad for name, p in replica.named_parameters()})
        model.load_state_dict(replicas[0].state_dict())
        with torch.no_grad():
            for name, p in parameters.items():
                mean = (gradients[0][name] + gradients[1][name]) / 2
                p -= config.lr * (mean + config.weight_decay * p)
    for name, tensor in weights(config).items():
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=1e-4, atol=1e-5)


def train_with_frozen_bn(config: RunConfig) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for kind in (torch.nn.BatchNorm1d, torch.nn.BatchNorm3d):
            patched.setattr(kind, "train", lambda bn, mode=True: torch.nn.Module.train(bn, False))
        train(config)


@pytest.mark.parametrize(("model", "world_size"), [("baseline", 1), ("st_abn", 2)])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(tiny, model, world_size):
    """One step of plain SGD, BN held in evaluation mode: in training it sees part by part."""
    runs = []
    for accumulate in (1, 3):
        config = tiny(
            **{"model": model, "accumulate": accumulate, "epochs": 1, "batch_size": 12},
            **{"dropout": 0, "optimizer": "sgd", "momentum": 0, "nesterov": False, "lr": 0.05},
            schedule="plateau",
        )
        if world_size == 1:
            train_with_frozen_bn(config)
        else:
            ended = side_by_side(world_size, train_with_frozen_bn, config)
            assert [end.status for end in ended] == [0] * world_size, ended
        runs.append(weights(config))
    whole, parts = runs
    torch.manual_seed(config.seed)
    fresh = build_model(config, 3).state_dict()
    assert any(not torch.allclose(whole[name], fresh[name]) for name in whole)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-4, atol=1e-6)


def test_a_run_in_parts_goes_on_as_if_it_had_not_been_interrupted(tiny, monkeypatch):
    whole, torn = (tiny(accumulate=2, dropout=0.5, save_every=1) for _ in range(2))
    train(whole)
    monkeypatch.setattr(Journal, "trained", stop_at(4))
    with pytest.raises(Stopped):
        train(torn)
    monkeypatch.undo()
    train(torn)
    assert same(weights(whole), weights(torn))
    lines = [read_journal(c.folder / "metrics.jsonl")[0]["train_top1"] for c in (whole, torn)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("synchronised", [False, True])
@pytest.mark.parametrize(("model", "backbone"), [("baseline", "resnet50"), ("st_abn", "small")])
def test_activations_computed_twice_change_no_bit(tiny, model, backbone, synchronised):
    """Neither gradients nor BN's running statistics, and there is less kept in between.

    SyncBN is plain BN where a process is alone, and the CPU can compute that.
    """
    clip = torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    found = []
    for twice in (False, True):
        config = tiny(model=model, backbone=backbone, checkpoint_activations=twice)
        torch.manual_seed(0)
        network = build_model(config, 3).train()
        if synchronised:
            network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)
        kept = 0

        def count(tensor):
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            output = network(clip)
        logits = output if isinstance(output, torch.Tensor) else sum(output[:2])
        logits.square().sum().backward()
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        found.append((kept, gradients, dict(network.named_buffers())))
    (much, *plain), (little, *again) = found
    assert little < 0.8 * much
    assert all(same(a, b) for a, b in zip(plain, again, strict=True))
    counts = [b for name, b in again[1].items() if name.endswith("num_batches_tracked")]
    assert set(map(int, counts)) == {1}


def test_bn_over_all_processes_is_not_for_the_cpu(tiny):
    with pytest.raises(ConfigError, match="sync_bn: PyTorch has none for the CPU"):
        train(tiny(sync_bn=True))


def test_a_batch_that_does_not_fall_into_equal_parts(tiny):
    said = r"batch_size: 6 cannot .* 2 processes, each in 2 parts \(accumulate\); .*multiple of 4"
    with pytest.raises(ConfigError, match=said):
        train_loader(tiny(batch_size=6, accumulate=2), Process(0, 2, torch.device("cpu")))


class Stopped(BaseException):
    """As a kill: nothing catches it."""


def stop_at(last: int):
    """:meth:`Journal.trained` that stops after so many steps."""

    def trained(journal, epoch, step, *rest, write=Journal.trained):
        write(journal, epoch, step, *rest)
        if step == last:
            raise Stopped

    return trained


def test_the_control_attends_to_nothing_and_its_heads_stay(tiny):
    config = tiny(epochs=1, constant_spatial=0.5, constant_temporal=0.25)
    train(config)
    torch.manual_seed(config.seed)
    fresh, after = build_model(config, 3).state_dict(), weights(config)
    heads = [n for n in fresh if ".spatial_head." in n or ".temporal_head." in n]
    parameters = [n for n in heads if "running" not in n and "num_batches" not in n]
    assert parameters
    assert all(torch.equal(fresh[name], after[name]) for name in parameters)
    name = "attention_branch.class_head.conv.weight"
    assert not torch.equal(fresh[name], after[name])


def test_pretext_clips_train_without_any_file(tiny):
    config = tiny(data="pretext", data_root="nowhere", pretext_clips=13, epochs=1)
    train(config)
    assert read(config.folder / "best.pt")["classes"] == list(class_texts(config))


@pytest.mark.parametrize(("units", "used"), [({"avx512_bf16": True}, "bf16"), ({}, "fp32")])
def test_precision_is_what_the_device_has(tiny, monkeypatch, caplog, units, used):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    monkeypatch.setattr("stabn.training.process._onednn_has_bf16", lambda: True)
    config = tiny(epochs=1, precision="bf16")
    train(config)
    assert read_record(config.folder / "record.json")["hardware"]["precision"] == used
    assert ("no bf16 units: fp32 instead" in caplog.text) == (used == "fp32")
    assert all(tensor.dtype != torch.bfloat16 for tensor in weights(config).values())


def test_schedules(tiny):
    def rates(config, losses, steps=4):
        model = torch.nn.Linear(2, 2)
        optimizer = make_optimizer(config, model)
        schedule = make_schedule(config, optimizer, steps)
        seen = []
        for loss in losses:
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step(loss) if config.schedule == "plateau" else schedule.step()
        return seen

    plateau = tiny(optimizer="sgd", lr=1.0, schedule="plateau", patience=1)
    np.testing.assert_allclose(rates(plateau, [3, 2, 2, 2, 2, 1]), [1, 1, 1, 1, 0.1, 0.1])
    steps = tiny(optimizer="sgd", lr=1.0, schedule="milestones", milestones=[1, 3])
    np.testing.assert_allclose(rates(steps, range(5)), [1, 0.1, 0.1, 0.01, 0.01])
    cycle = rates(tiny(optimizer="sgd", lr=1.0), range(10), steps=10)
    assert max(cycle) == pytest.approx(1.0, abs=0.05)
    assert cycle[0] == pytest.approx(0.04)


def test_dropouts_seeds_differ_between_steps_ranks_and_runs():
    seeds = [step_seed(s, step, rank) for s in (0, 1) for step in range(50) for rank in range(4)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_command_line_answers_in_words(tmp_path, stabn):
    path = tmp_path / "run.yaml"
    path.write_text("name: x\nlearning_rate: 1\n")
    with pytest.raises(SystemExit, match=r"error: .*run\.yaml: unknown name 'learning_rate'"):
        stabn("train", "--config", path)

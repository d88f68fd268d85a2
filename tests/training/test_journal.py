"""TensorBoard shows what metrics.jsonl holds, each step once, after an interruption too."""

from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from stabn.losses import ClassificationLoss
from stabn.training.journal import Journal, read_journal
from stabn.training.process import Process
from stabn.training.step import Run
from stabn.training.train import train

ALONE = Process(0, 1, torch.device("cpu"))


def board(config) -> dict[str, dict[int, float]]:
    """{tag: {step: value}}; a step that stood there twice would fail."""
    events = EventAccumulator(str(config.folder / "tensorboard" / "metrics"))
    events.Reload()
    charts = {}
    for tag in events.Tags()["scalars"]:
        steps = [event.step for event in events.Scalars(tag)]
        assert len(set(steps)) == len(steps), tag
        charts[tag] = {event.step: event.value for event in events.Scalars(tag)}
    return charts


def journal(config, part: str, name: str) -> dict[int, float]:
    lines = read_journal(config.folder / "metrics.jsonl")
    return {line["step"]: line[f"{part}_{name}"] for line in lines if f"{part}_{name}" in line}


def test_it_is_the_journal(tiny, monkeypatch):
    config = tiny(save_every=2, epochs=3)

    class Killed(BaseException):
        pass

    def kill(self, epoch, step, *rest, write=Journal.trained):
        write(self, epoch, step, *rest)
        if step == 5:  # stored after step 4: the fifth is done again
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "trained", kill)
        with pytest.raises(Killed):
            train(config)
    train(config)
    charts = board(config)
    for name in ("loss", "top1"):
        for part in ("train", "eval"):
            assert charts[f"{name}/{part}"] == pytest.approx(journal(config, part, name))
    assert list(charts["lr"]) == list(range(1, 10))


def test_what_is_not_finite_is_left_out(tmp_path):
    journal = Journal(tmp_path / "metrics.jsonl", 0, 1, ALONE)
    journal.evaluated(1, 3, "validation", {"top1": float("nan"), "top5": 0.5})
    (line,) = read_journal(tmp_path / "metrics.jsonl")
    assert line["eval_top1"] is None
    events = EventAccumulator(str(tmp_path / "tensorboard" / "metrics"))
    events.Reload()
    assert events.Tags()["scalars"] == ["top5/eval"]


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [100.0]
    monkeypatch.setattr("stabn.training.journal.time.monotonic", lambda: now[0])
    return now


def steps(journal: Journal, clock: list[float], numbers: range, seconds: float, **more) -> None:
    """Steps of 8 clips that take so long each, 12 in all."""
    one = torch.tensor(1.0)
    for step in numbers:
        journal.add(ClassificationLoss(one, one, one), torch.zeros(8, 2), torch.zeros(8))
        clock[0] += seconds
        journal.trained(0, step, 12, 0.1, **more)


def test_speed_is_the_trainings_own_and_what_is_left_counts_everything(tmp_path, clock, caplog):
    """4 steps of 2 s, 40 s of evaluation, 2 s of saving, 4 steps of 2 s: always 4 clips/s."""
    caplog.set_level("INFO")
    path = tmp_path / "metrics.jsonl"
    journal = Journal(path, 0, 4, ALONE)
    steps(journal, clock, range(1, 5), 2.0, evaluations=2)
    with journal.aside("evaluation"):
        clock[0] += 40
    with journal.aside("saving"):
        clock[0] += 2
    journal.evaluated(1, 4, "tuning", {"top1": 0.5})
    steps(journal, clock, range(5, 9), 2.0, evaluations=1)
    first, evaluated, second = read_journal(path)
    assert first["clips_per_second"] == second["clips_per_second"] == 4
    assert (first["saving_seconds"], second["saving_seconds"]) == (0, 2)
    assert evaluated["eval_seconds"] == 40
    assert caplog.messages[0].endswith("4.0 clips/s  16 seconds and 2 evaluations left")
    # 8 steps took 18 s, saving included: 4 more take 9 s, and the evaluation 40
    assert caplog.messages[1].endswith(
        "4.0 clips/s (+ evaluation 40 seconds, saving 2 seconds)  49 seconds left"
    )

    clock[0] += 1e6  # stopped for days, and taken up on a slower machine
    journal = Journal(path, 8, 4, ALONE)
    steps(journal, clock, range(9, 13), 8.0, evaluations=1)
    assert caplog.messages[2].endswith("1.0 clips/s  40 seconds left")  # as it took before


@pytest.mark.parametrize(("epochs", "every"), [(1, 1), (5, 1), (5, 2), (6, 2), (3, 4)])
def test_evaluations_that_lie_ahead(epochs, every):
    """After these epochs, and the report."""
    for epoch in range(epochs):
        after = [e for e in range(epoch + 1, epochs + 1) if e % every == 0 or e == epochs]
        config = SimpleNamespace(epochs=epochs, eval_every=every)
        run = SimpleNamespace(config=config, progress=SimpleNamespace(epoch=epoch))
        assert Run.evaluations_left.fget(run) == len(after) + 1


def test_an_arm_is_named(tmp_path, clock, caplog):
    caplog.set_level("INFO")
    steps(Journal(tmp_path / "metrics-placebo.jsonl", 0, 1, ALONE), clock, range(1, 2), 1.0)
    assert caplog.messages[0].startswith("placebo  epoch 1  step 1/12  loss")

"""TensorBoard shows what metrics.jsonl holds, each step once, after an interruption too."""

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from stabn.training.journal import Journal, read_journal
from stabn.training.process import Process
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

"""What a run goes on from: the newest checkpoint that can be read, and a configuration it fits."""

import logging
import shutil
import threading
import time
from typing import ClassVar

import pytest
import torch

from stabn.errors import UserError
from stabn.training.checkpoint import CheckpointError, read
from stabn.training.config import ConfigError, RunConfig
from stabn.training.journal import Journal, read_journal
from stabn.training.process import OtherProcessError, Process
from stabn.training.records import finished, read_record, write_record
from stabn.training.resume import Progress
from stabn.training.step import fill_at_the_start
from stabn.training.train import train
from tests.side_by_side import stabn_on

pytestmark = pytest.mark.slow(15)


class Stopped(BaseException):
    """As a kill: nothing catches it."""


@pytest.fixture
def interrupted(tiny, monkeypatch):
    """A function that trains until so many steps are done, and returns the configuration."""

    def run(after: int, **values) -> RunConfig:
        config = tiny(**{"save_every": 1, "dropout": 0.5, **values})

        def trained(journal, epoch, step, *rest, write=Journal.trained):
            if step > after:
                raise Stopped
            write(journal, epoch, step, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "trained", trained)
            with pytest.raises(Stopped):
                train(config)
        return config

    return run


def steps_kept(config: RunConfig) -> dict[str, int]:
    paths = config.folder.glob("last*.pt")
    return {path.name: read(path)["progress"]["step"] for path in paths}


def cut(path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def weights(config: RunConfig):
    return read(config.folder / "last.pt")["model"]


@pytest.mark.parametrize(("keep", "names"), [(1, set()), (2, {5, 6}), (3, {4, 5, 6})])
def test_the_last_ones_are_kept_by_their_step(tiny, keep, names):
    config = tiny(save_every=1, keep_last=keep)
    train(config)
    assert steps_kept(config) == {"last.pt": 6, **{f"last-{n}.pt": n for n in names}}
    assert (config.folder / "best.pt").is_file()


def test_a_truncated_one_is_skipped_and_the_newest_that_can_be_read_taken_up(
    tiny, interrupted, caplog
):
    whole = tiny(save_every=1, dropout=0.5)
    train(whole)
    config = interrupted(5, keep_last=3)
    for name in ("last.pt", "last-5.pt"):  # two names of one file: both are cut
        path = config.folder / name
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-2000])
    caplog.set_level(logging.INFO)
    train(config)
    skipped = [record.message for record in caplog.records if "skipped" in record.message]
    assert [message.split(": ")[1].rpartition("/")[2] for message in skipped] == [
        "last.pt",
        "last-5.pt",
    ]
    assert all("is truncated" in message for message in skipped)
    assert "after 4 steps" in caplog.text
    assert all((weights(whole)[name] == tensor).all() for name, tensor in weights(config).items())
    assert steps_kept(config) == {"last.pt": 6, "last-4.pt": 4, "last-5.pt": 5, "last-6.pt": 6}


def test_where_none_can_be_read_the_run_does_not_start_over(interrupted):
    config = interrupted(2)
    cut(config.folder / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt: is truncated"):
        train(config)


def test_what_a_kill_left_half_written_is_removed(interrupted):
    config = interrupted(2)
    for name in ("last.pt", "best.pt", "record.json", "validation.parquet"):
        (config.folder / f".{name}.123456789.part").write_bytes(b"half of it")
    train(config)
    assert not list(config.folder.glob(".*"))


def test_a_changed_configuration_is_gone_on_with_if_that_is_wanted(interrupted, caplog):
    config = interrupted(4, schedule="plateau", lr=1e-3, eval_every=2)
    changed = config.model_copy(update={"lr": 5e-4, "dropout": 0.2})
    said = (
        r"dropout \(0.5 there, 0.2 here\), lr \(0.001 there, .* with resume_changed: true it goes"
    )
    with pytest.raises(ConfigError, match=said):
        train(changed)
    train(changed.model_copy(update={"resume_changed": True}))
    assert "changed from here on: lr, 0.001 before, 0.0005 now" in caplog.text
    rates = [x["lr"] for x in read_journal(config.folder / "metrics.jsonl") if "lr" in x]
    assert rates == [1e-3] * 4 + [5e-4] * 2
    record = read_record(config.folder / "record.json")
    (resumed,) = record["resumed"]
    assert resumed["step"] == 4
    assert resumed["changed"] == {"dropout": [0.5, 0.2], "lr": [0.001, 0.0005]}
    assert record["config"]["lr"] == 5e-4


@pytest.mark.parametrize(
    ("schedule", "field", "value"),
    [
        ("plateau", "batch_size", 6),
        ("plateau", "seed", 1),
        ("plateau", "num_frames", 5),
        ("one_cycle", "lr", 0.1),
    ],
)
def test_what_the_stored_state_stands_for_cannot_be_changed(interrupted, schedule, field, value):
    config = interrupted(1, schedule=schedule)
    changed = config.model_copy(update={field: value, "resume_changed": True})
    never = f"a run cannot go on with another {field}, resume_changed or not"
    for asked in (changed, changed.model_copy(update={"resume_changed": False})):
        with pytest.raises(ConfigError, match=f"another configuration: {field} .*{never}"):
            train(asked)


def test_every_part_of_a_recipe_goes_on_as_if_nothing_had_been(tiny, interrupted):
    """In the second epoch, after an evaluation with precise BN; the rate's course is the step's."""
    recipe = {
        **{"schedule": "cosine", "warmup_epochs": 0.5, "lr_batch_size": 2, "dropout": 0.5},
        **{"decay_bn_and_biases": False, "label_smoothing": 0.1, "precise_bn": 2},
        **{"max_nonfinite_steps": 2, "save_every": 1},
    }
    whole = tiny(**recipe)
    train(whole)
    torn = interrupted(4, **recipe)
    train(torn)
    assert all(torch.equal(weights(whole)[n], tensor) for n, tensor in weights(torn).items())
    rates = [x["lr"] for x in read_journal(torn.folder / "metrics.jsonl") if "lr" in x]
    assert rates == [x["lr"] for x in read_journal(whole.folder / "metrics.jsonl") if "lr" in x]
    longer = torn.model_copy(update={"epochs": 3, "resume_changed": True})
    with pytest.raises(ConfigError, match="another configuration: epochs"):  # another course
        train(longer)


def test_a_rate_that_is_scaled_anew_and_two_groups_of_parameters(interrupted):
    plain = {"schedule": "plateau", "optimizer": "sgd", "lr": 1e-3, "eval_every": 2}
    config = interrupted(4, decay_bn_and_biases=False, **plain)
    anew = {"lr_batch_size": 2, "weight_decay": 0.2, "resume_changed": True}
    train(config.model_copy(update=anew))
    groups = read(config.folder / "last.pt")["training"]["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups] == [2e-3, 2e-3]
    assert [group["weight_decay"] for group in groups] == [0.2, 0.0]


def test_on_another_number_of_processes_the_same_clips_follow_and_it_says_so(interrupted):
    config = interrupted(2)
    said = stabn_on(2, "train", config)
    assert "number of processes: 1 up to step 2, 2 from here on: the same clips" in said
    lines = read_journal(config.folder / "metrics.jsonl")
    assert [line["step"] for line in lines if "lr" in line] == [1, 2, 3, 4, 5, 6]
    record = read_record(config.folder / "record.json")
    assert record["resumed"] == [{"step": 2, "processes": 2, "changed": {}}]
    assert record["hardware"]["processes"] == 1


def test_a_field_younger_than_the_run_counts_as_its_default(interrupted):
    """As from a checkpoint made before the fields existed; milestones' default is a tuple."""
    config = interrupted(4, schedule="plateau")
    path = config.folder / "last.pt"
    content = read(path)
    for name in ("attention_start", "milestones", "flip"):
        del content["config"][name]
    torch.save(content, path)
    changed = config.model_copy(update={"attention_start": "evidence", "milestones": (1,)})
    said = r"attention_start \('random' there, 'evidence' here\), milestones \(\[75, 125\] there"
    with pytest.raises(ConfigError, match=said):
        train(changed)
    train(config)
    assert read(path)["progress"]["step"] == 6
    assert read(path)["config"] == config.model_dump(mode="json")


def test_a_field_that_exists_no_more_is_not_passed_over(interrupted):
    config = interrupted(1)
    path = config.folder / "last.pt"
    content = read(path)
    content["config"]["withdrawn"] = 3
    torch.save(content, path)
    with pytest.raises(ConfigError, match=r"withdrawn \(3 there, None here\)"):
        train(config)


def test_a_run_that_is_extended_reports_anew(tiny, interrupted, monkeypatch):
    config = tiny(schedule="plateau", epochs=1)
    path = config.folder / "record.json"
    train(config)
    early = read_record(path)
    assert finished(early, 3)
    longer = config.model_copy(update={"epochs": 2, "resume_changed": True})

    def stop(*_):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "evaluated", stop)
        with pytest.raises(Stopped):
            train(longer)
    torn = read_record(path)
    assert (torn["wall_seconds"], torn["results"]) == (None, {})  # as of a run that has not ended
    assert not {"steps", "best", "peak_memory_gib"} & torn.keys()
    train(longer)
    late = read_record(path)
    assert finished(late, 6)
    assert [entry["step"] for entry in late["resumed"]] == [3, 6]
    assert late["config"]["epochs"] == 2

    write_record(path, early)  # as an earlier version left it beside the longer run's checkpoints
    train(longer)
    assert read_record(path)["results"] == late["results"]
    assert finished(read_record(path), 6)


def test_a_run_goes_on_without_the_weights_that_it_started_from(
    tiny, tiny_run, interrupted, tmp_path
):
    weights_ = tmp_path / "weights.pt"
    shutil.copy(tiny_run.folder / "best.pt", weights_)
    config = interrupted(2, weights=str(weights_))
    whole = tiny(save_every=1, dropout=0.5, weights=str(weights_), name=config.name)
    train(whole)
    weights_.unlink()
    train(config)
    assert all((weights(whole)[name] == tensor).all() for name, tensor in weights(config).items())
    with pytest.raises(UserError, match=r"weights\.pt: no such file"):
        train(tiny(weights=str(weights_)))


class Twin(Process):
    """One of two processes of a machine, played by threads."""

    meeting = threading.Barrier(2)
    sums: ClassVar[list[int]] = []

    @property
    def is_first_here(self) -> bool:
        return self.rank == 0

    def total(self, *numbers: int) -> list[int]:
        self.sums.append(sum(numbers))
        self.meeting.wait(60)
        both = sum(self.sums)
        self.meeting.wait(60)
        self.sums.clear()
        return [both]


@pytest.mark.parametrize("fails", [False, True])
def test_the_first_process_of_a_machine_fetches_weights_before_the_others(tiny, monkeypatch, fails):
    seen, ended = [], []
    config = tiny(weights="imagenet")

    def start_from(model, config):
        seen.append((model, "begins"))
        time.sleep(0.05)
        if fails:
            raise CheckpointError("no internet")
        seen.append((model, "ends"))

    def fill(rank: int) -> None:
        try:
            fill_at_the_start(rank, config, Twin(rank, 2, torch.device("cpu")))
        except UserError as error:
            ended.append(error)

    monkeypatch.setattr("stabn.training.step.start_from", start_from)
    threads = [threading.Thread(target=fill, args=(rank,)) for rank in (1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if fails:
        assert seen == [(0, "begins")]
        assert {type(error) for error in ended} == {CheckpointError, OtherProcessError}
    else:
        assert seen == [(0, "begins"), (0, "ends"), (1, "begins"), (1, "ends")]


def test_it_is_stored_after_so_many_steps_or_minutes(tiny, monkeypatch):
    progress = Progress(step=4)
    assert progress.due(2, 10)
    assert not progress.due(3, 10)
    assert not progress.due(None, 10)
    later = time.monotonic() + 601
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: later)
        assert progress.due(None, 10)
        assert progress.due(3, 10)
    config = tiny(save_minutes=1e-6, keep_last=10)
    train(config)
    assert set(steps_kept(config).values()) == {1, 2, 3, 4, 5, 6}

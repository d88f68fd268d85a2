"""Fine-tuning is the obvious loop, arm by arm; nothing but its target sets an arm apart."""

import copy
import logging
import os
import shutil
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, softplus

from stabn.data.ssv2 import AnnotationError
from stabn.data.transforms import normalise
from stabn.knowledge.edits.edit import Edit, EditError
from stabn.knowledge.edits.exchange import read_json, write_json
from stabn.knowledge.finetuning import finetune as module
from stabn.knowledge.finetuning import step as tuning
from stabn.knowledge.finetuning.arms import divisor
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.finetuning.finetune import finetune
from stabn.knowledge.finetuning.targets import swapped
from stabn.knowledge.store.store import Store
from stabn.training import lock
from stabn.training.build import split_videos, train_loader
from stabn.training.checkpoint import CheckpointError, load, read
from stabn.training.config import ConfigError, parse
from stabn.training.eval_config import EvalConfig
from stabn.training.evaluate import evaluate
from stabn.training.files import file_hash
from stabn.training.journal import Journal, read_journal
from stabn.training.nonfinite import NonFiniteLossError
from stabn.training.process import TERMINATED, Process
from stabn.training.records import read_record, write_record
from stabn.training.resume import step_seed
from stabn.training.train import train
from tests.journals import untimed
from tests.side_by_side import stabn_on

pytestmark = pytest.mark.slow(20)

ALONE = Process(0, 1, torch.device("cpu"))
EDITED = 6  # of the 12 training videos, as the fixture has it


@pytest.fixture(scope="module")
def tuned(settings) -> FinetuneConfig:
    """A finished fine-tuning; read it, do not change it."""
    config = settings()
    finetune(config)
    return config


def test_it_does_not_write_into_the_run_that_it_starts_from(settings, tiny_run):
    with pytest.raises(ConfigError, match=rf"name: {tiny_run.folder} is the run to start from"):
        settings(name=tiny_run.name, out_dir=tiny_run.out_dir)


def test_a_list_that_is_missing_is_said_before_anything_is_trained(settings):
    config = settings(also_report=["exam"])
    with pytest.raises(AnnotationError, match=r"exam\.json"):
        finetune(config)
    assert not list(config.folder.glob("metrics-*"))


def weights(config: FinetuneConfig, arm: str) -> dict[str, torch.Tensor]:
    return read(config.folder / f"{arm}.pt")["model"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def levels_of(edits: list[Edit]) -> dict[str, np.ndarray]:
    return {edit.video_id: np.array(edit.levels, np.float32) for edit in edits}


def test_of_a_runs_recipe_only_what_decays_is_kept(tuned, tiny_run):
    """The losses are equation (5)'s, the rate is the fine-tuning's own, and no step is left out."""
    recipe = {"schedule": "cosine", "warmup_epochs": 0.5, "lr_batch_size": 2, "precise_bn": 2}
    recipe |= {"label_smoothing": 0.1, "max_nonfinite_steps": 3, "decay_bn_and_biases": False}
    run = tuned.as_run(tiny_run.model_copy(update=recipe))
    assert run.scaled_lr == tuned.lr
    left = ("warmup_epochs", "precise_bn", "label_smoothing", "max_nonfinite_steps")
    assert [getattr(run, name) for name in left] == [0, 0, 0, 0]
    assert not run.decay_bn_and_biases


@pytest.fixture
def smooth(monkeypatch) -> None:
    """Networks without a kink: at ReLU's, how a kernel rounds decides whether a gradient passes."""
    monkeypatch.setattr(torch, "relu", partial(softplus, beta=5))
    monkeypatch.setattr(torch.nn.ReLU, "forward", lambda self, x: torch.relu(x))


@pytest.mark.parametrize("arm", ["control", "knowledge", "placebo"])
def test_each_arm_is_the_obvious_loop(smooth, settings, tiny_run, edits, arm):
    tuned = settings(arms=[arm], lr=0.01)
    finetune(tuned)
    records, _ = split_videos(tuned.as_run(tiny_run), "train")
    class_of = {record.video_id: record.class_id for record in records}
    levels = {
        "control": {},
        "knowledge": levels_of(edits),
        "placebo": swapped(levels_of(edits), class_of, tuned.seed),
    }[arm]
    check_the_obvious_loop(tuned, tiny_run, arm, levels)


def test_with_a_gate_that_closes_it_is_the_same_loop(smooth, settings, tiny_run, edits):
    """Put into a network that was trained with the paper's fusion: the weights are the same."""
    config = settings(arms=["knowledge"], fusion="gated", closed=0.3, lr=0.01)
    finetune(config)
    ours = load(config.folder / "knowledge.pt")
    assert (ours.config.fusion, ours.model.fusion.kind) == ("gated", "gated")
    assert ours.config.closed == ours.model.fusion.closed == 0.3
    assert load(config.start).model.fusion.kind == "paper"
    check_the_obvious_loop(config, tiny_run, "knowledge", levels_of(edits))


def test_the_papers_fusion_has_no_gate_to_close(settings):
    with pytest.raises(ConfigError, match=r"closed: .*set fusion to gated"):
        finetune(settings(closed=0.3))


def check_the_obvious_loop(tuned, tiny_run, arm, levels) -> None:
    """Plain gradient descent on the whole network's own forward pass, loss written out."""
    run = tuned.as_run(tiny_run)
    model = load(tuned.start).model
    model.fusion.kind, model.fusion.closed = run.fusion, run.closed
    loader = train_loader(run, ALONE)
    step = 0
    for epoch in range(2):
        loader.batch_sampler.epoch = epoch
        for batch in loader:
            model.train()
            for part in model.backbone.extractor_modules():
                part.eval().requires_grad_(False)
            torch.manual_seed(step_seed(tuned.seed, step, 0))
            out = model(normalise(batch.video))
            loss = cross_entropy(out.logits, batch.label)
            loss = loss + cross_entropy(out.attention_logits, batch.label)
            errors = [
                ((out.temporal_attention[i] - torch.tensor(levels[v][batch.frame_indices[i]])) ** 2)
                for i, v in enumerate(batch.video_id)
                if v in levels
            ]
            if errors:
                loss = loss + tuned.gamma * torch.stack(errors).mean()
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        parameter -= tuned.lr * parameter.grad
            step += 1
    ours = load(tuned.folder / f"{arm}.pt").model.state_dict()
    for name, tensor in model.state_dict().items():
        # steps move weights by 1e-2; kernels round otherwise, by less than 1e-6
        torch.testing.assert_close(ours[name], tensor, rtol=1e-5, atol=2e-6, msg=name)


def test_the_extractor_keeps_every_bit_and_the_rest_moves(tuned):
    before = read(tuned.start)["model"]
    last = [n for n in before if n.startswith(("attention_branch", "fusion", "backbone.fc"))]
    for arm in tuned.arms:
        after = weights(tuned, arm)
        frozen = [n for n in before if n.startswith(("backbone.conv1", "backbone.bn1"))]
        frozen += [n for n in before if n.startswith(("backbone.layer1", "backbone.layer2"))]
        assert frozen
        assert all(torch.equal(before[n], after[n]) for n in frozen)
        moved = [n for n in last if n.endswith("weight") and not torch.equal(before[n], after[n])]
        assert len(moved) > 10


def test_an_arm_alone_is_the_arm_among_others(tuned, settings):
    for arm in ("knowledge", "placebo"):
        alone = settings(arms=[arm])
        finetune(alone)
        assert same(weights(alone, arm), weights(tuned, arm))
        assert not (alone.folder / "control.pt").exists()


def test_arms_differ_by_their_targets(tuned):
    networks = [weights(tuned, arm) for arm in tuned.arms]
    assert not any(same(a, b) for i, a in enumerate(networks) for b in networks[:i])


def test_every_arm_and_the_start_are_scored_and_nothing_is_left_out(tuned, tiny_run, edits):
    record = read_record(tuned.folder / "record.json")
    tags = [f"{a}-validation{i}" for a in ("before", *tuned.arms) for i in ("", "-inverted")]
    assert list(record["results"]) == tags
    start = read_record(tiny_run.folder / "record.json")["results"]["validation"]
    assert record["results"]["before-validation"] == start
    assert record["finetuning"] == tuned.model_dump(mode="json")
    assert record["started_from"]["sha256"] == file_hash(tuned.start)
    assert record["edits"] == {
        "videos": EDITED,
        "unchanged": 0,
        "share_of_training": EDITED / 12,
        "annotators": ["ann"],
        "seconds": 12.5 * EDITED,
        "of_another_network": 0,
    }
    records, _ = split_videos(tiny_run, "train")
    assert record["modified"] == sorted({r.class_id for r in records[:EDITED]})
    assert record["wall_seconds"] > 0
    assert record["code"]["commit"]
    assert record["data"]["sha256"]
    assert read_json(tuned.folder / "edits.json") == edits
    for arm in tuned.arms:
        steps = [line["step"] for line in read_journal(tuned.folder / f"metrics-{arm}.jsonl")]
        assert steps == list(range(1, 7))
        first = read_journal(tuned.folder / f"metrics-{arm}.jsonl")[0]["train_temporal"]
        assert (first > 0) == (arm != "control")


def test_evaluation_finds_an_arm_by_its_name(tuned, settings):
    config = settings(epochs=1, arms=["control"], invert_spatial=False)
    finetune(config)
    done = read_record(config.folder / "record.json")["results"]
    evaluate(parse(EvalConfig, {"run": str(config.folder), "checkpoint": "control"}, "test"))
    again = read_record(config.folder / "record.json")["results"]
    assert again["control-validation"] == done["control-validation"]
    assert set(again) - set(done) == {"control-validation-inverted"}


def test_edited_videos_can_be_taken_more_often_or_alone(settings, edits, monkeypatch):
    taken = []

    def watched(arm, features, batch, *rest, step=tuning.take_step):
        taken.extend(batch.video_id)
        return step(arm, features, batch, *rest)

    monkeypatch.setattr(tuning, "take_step", watched)
    finetune(settings(arms=["control"], edited_repeats=2, epochs=1, batch_size=6))
    edited = {edit.video_id for edit in edits}
    counts = {video_id: taken.count(video_id) for video_id in set(taken)}
    assert {counts[v] for v in edited} == {2}
    assert {n for v, n in counts.items() if v not in edited} == {1}
    taken.clear()
    finetune(settings(arms=["control"], edited_only=True, epochs=1, batch_size=6))
    assert set(taken) == edited


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    settings, monkeypatch, edits, tmp_path
):
    """Killed in the second epoch, dropout on, AdamW; the store it began with has grown since."""
    how = {"optimizer": "adamw", "lr": 1e-3, "schedule": "one_cycle", "save_every": 2}
    store = Store(tmp_path / "edits.sqlite")
    store.register((edit.video_id, len(edit.levels)) for edit in edits)
    for edit in edits:
        store.save(edit, after=None)
    how["edits"] = str(tmp_path / "edits.sqlite")
    whole = settings(**how)
    finetune(whole)
    torn = whole.model_copy(update={"out_dir": settings().out_dir})

    class Killed(BaseException):
        pass

    def kill(journal, epoch, step, *rest, write=Journal.trained):
        write(journal, epoch, step, *rest)
        if step == 5:
            raise Killed

    monkeypatch.setattr(Journal, "trained", kill)
    with pytest.raises(Killed):
        finetune(torn)
    monkeypatch.undo()
    changed = copy.copy(edits[0])
    object.__setattr__(changed, "levels", tuple(1 - level for level in changed.levels))
    store.save(changed, after=store.latest(changed.video_id, "ann").number)
    finetune(torn)
    for arm in torn.arms:
        assert same(weights(whole, arm), weights(torn, arm))
        told = [untimed(config.folder / f"metrics-{arm}.jsonl") for config in (whole, torn)]
        assert told[0] == told[1]


@pytest.mark.parametrize("where", ["step", "report"])
def test_a_pre_empted_one_stores_and_goes_on(settings, tuned, monkeypatch, where):
    config = settings()

    def terminate(*args, then, **more):
        os.kill(os.getpid(), signal.SIGTERM)
        return then(*args, **more)

    if where == "step":
        monkeypatch.setattr(tuning, "take_step", partial(terminate, then=tuning.take_step))
    else:
        monkeypatch.setattr(module, "report", partial(terminate, then=module.report))
    with pytest.raises(SystemExit) as left:
        finetune(config)
    assert left.value.code == TERMINATED
    stored = read(config.folder / "last.pt")["progress"]["step"]
    assert stored == (1 if where == "step" else 6)
    monkeypatch.undo()
    finetune(config)
    assert all(same(weights(config, arm), weights(tuned, arm)) for arm in config.arms)
    noted = read_record(config.folder / "record.json").get("resumed", [])
    assert [(n["step"], n["processes"]) for n in noted] == ([(1, 1)] if where == "step" else [])


def test_a_broken_video_is_replaced_and_written_down(settings, tiny_run, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(tiny_run.data_root, root)
    video_id = split_videos(tiny_run, "train")[0][EDITED].video_id  # not an edited one
    (root / "videos" / f"{video_id}.webm").write_bytes(b"")
    config = settings(data_root=str(root), arms=["control"])
    finetune(config)
    lines = read_journal(config.folder / "decode_failures.jsonl")
    assert [(line["epoch"], line["video_id"]) for line in lines] == [(1, video_id), (2, video_id)]


def test_a_finished_one_is_left_alone(settings, caplog):
    config = settings(epochs=1, arms=["control"])
    finetune(config)
    kept = {path: path.read_bytes() for path in config.folder.rglob("*") if path.is_file()}
    caplog.set_level(logging.INFO)
    finetune(config)
    assert "fine-tuned and reported already" in caplog.text
    changed = {path.name for path in kept if path.read_bytes() != kept[path]}
    assert changed <= {"config.yaml"}


def test_a_record_of_other_steps_is_none_of_a_finished_one(settings):
    """As an earlier version left it where a fine-tuning had gone on since its report."""
    config = settings(epochs=1, arms=["control"])
    finetune(config)
    path = config.folder / "record.json"
    record = read_record(path)
    write_record(path, record | {"steps": 1, "results": {"before-validation": {"top1": 0.0}}})
    finetune(config)
    assert read_record(path)["results"] == record["results"]
    assert read_record(path)["steps"] == 3


def test_a_folder_where_something_is_at_work_is_left_alone(settings, monkeypatch):
    monkeypatch.setattr(lock, "LEASE", 0.6)
    config = settings()
    with lock.held(config.folder), pytest.raises(ConfigError, match="has been at work in it"):
        finetune(config)


@pytest.mark.parametrize(("kind", "expected"), [("edited", 3.0), ("batch", 4.0)])
def test_the_divisor_counts_edited_clips_or_all(settings, kind, expected):
    edited = torch.tensor([True, False, True, True])
    assert divisor(settings(divisor=kind), edited, ALONE) == expected
    assert divisor(settings(), torch.tensor([False]), ALONE) == 1


def test_two_processes_end_as_one_record(settings):
    """Each arm is averaged over ranks and scored once."""
    config = settings(epochs=1, invert_spatial=False, workers=0)
    stabn_on(2, "finetune", config)
    record = read_record(config.folder / "record.json")
    assert record["hardware"]["processes"] == 2
    assert {f["videos"] for f in record["results"].values()} == {9}
    assert record["steps"] == 3


def test_edits_for_another_network_are_used_and_said(settings, edits, tmp_path, caplog):
    other = [copy.copy(edit) for edit in edits]
    for edit in other:
        object.__setattr__(edit, "model", "f" * 64)
    write_json(other, tmp_path / "other.json")
    config = settings(edits=str(tmp_path / "other.json"), epochs=1, arms=["knowledge"])
    finetune(config)
    assert f"{EDITED} of {EDITED} edits correct another network's attention" in caplog.text
    record = read_record(config.folder / "record.json")
    assert record["edits"]["of_another_network"] == EDITED


def test_what_people_left_as_it_was_is_counted_and_not_learned_from(settings, edits, tmp_path):
    """Some videos edited, some looked at, against the former alone: the same network."""
    looked_at = [replace(edit, levels=edit.attention) for edit in edits[4:]]
    runs = {}
    for name, made in {"some": edits[:4], "both": [*edits[:4], *looked_at]}.items():
        write_json(made, tmp_path / f"{name}.json")
        how = {"edits": str(tmp_path / f"{name}.json"), "epochs": 1, "edited_repeats": 2}
        runs[name] = settings(**how, batch_size=8, invert_spatial=False)
        finetune(runs[name])
    for arm in ("knowledge", "placebo"):
        assert same(weights(runs["some"], arm), weights(runs["both"], arm))
    record = {name: read_record(config.folder / "record.json") for name, config in runs.items()}
    assert record["both"]["edits"] == record["some"]["edits"] | {
        "unchanged": len(looked_at),
        "seconds": 12.5 * EDITED,  # to look costs time too
    }
    assert record["both"]["modified"] == record["some"]["modified"]


def test_without_a_careless_annotator_it_is_as_if_they_had_never_been(
    settings, tuned, edits, tmp_path
):
    """A store in which they are set aside, against the file of all others: the same network."""
    store = Store(tmp_path / "edits.sqlite")
    store.register((edit.video_id, edit.frames) for edit in edits)
    careless = [replace(e, annotator="careless", levels=(1.0,) * e.frames) for e in edits]
    store.take_in([*careless, *edits])
    store.exclude("careless", who="the organiser", why="marks all of each video")
    config = settings(edits=store.name, arms=["knowledge"])
    finetune(config)
    assert same(weights(config, "knowledge"), weights(tuned, "knowledge"))
    told = [read_record(one.folder / "record.json")["edits"] for one in (config, tuned)]
    assert told[0] == told[1]


def test_a_video_that_more_could_not_tell_than_edited_is_not_counted(settings, edits, tmp_path):
    told = {"verdict": "cannot_tell", "levels": ()}
    votes = [replace(edits[0], annotator=name, **told) for name in ("x", "y")]
    write_json([*edits, *votes], tmp_path / "votes.json")
    config = settings(edits=str(tmp_path / "votes.json"), epochs=1, arms=["control"])
    finetune(config)
    record = read_record(config.folder / "record.json")["edits"]
    assert (record["videos"], record["unchanged"]) == (EDITED - 1, 0)


def test_what_cannot_be_fine_tuned(settings, tiny, tmp_path):
    baseline = tiny(model="baseline", epochs=1)
    train(baseline)
    with pytest.raises(CheckpointError, match="no attention to correct"):
        finetune(settings(run=str(baseline.folder)))
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        finetune(settings(run=str(tmp_path)))
    with pytest.raises(EditError, match=r"nowhere\.json"):
        finetune(settings(edits=str(tmp_path / "nowhere.json")))
    with pytest.raises(ConfigError, match="batch_size: 13 is more than the 12 clips"):
        finetune(settings(batch_size=13))
    with pytest.raises(ConfigError, match=r"unknown name 'gama' .did you mean 'gamma'"):
        settings(gama=1)


def test_another_description_is_not_continued(settings):
    config = settings(epochs=1, arms=["control"])
    finetune(config)
    with pytest.raises(ConfigError, match=r"another configuration: gamma \(10.0 there, 1.0 here\)"):
        finetune(config.model_copy(update={"gamma": 1.0}))


def test_a_field_younger_than_the_run_counts_as_its_default(settings):
    config = settings(epochs=1, arms=["control"])
    finetune(config)
    content = read(config.folder / "last.pt")
    del content["config"]["also_report"], content["config"]["divisor"]
    torch.save(content, config.folder / "last.pt")
    finetune(config)
    with pytest.raises(ConfigError, match=r"divisor \('edited' there, 'batch' here\);"):
        finetune(config.model_copy(update={"divisor": "batch"}))


def test_a_loss_that_is_not_finite_names_arm_and_videos(settings):
    with pytest.raises(
        NonFiniteLossError, match=r"control: the loss is .* these videos: (\d+, ){3}"
    ):
        finetune(settings(arms=["control"], lr=1e30))

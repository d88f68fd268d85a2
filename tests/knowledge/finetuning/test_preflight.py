"""Before a fine-tuning: everything in its way is told at once, and what it will take."""

import os
import re
import signal
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from stabn.knowledge.edits.exchange import write_json
from stabn.knowledge.finetuning import preflight as module
from stabn.knowledge.finetuning import step as tuning
from stabn.knowledge.finetuning.finetune import finetune
from stabn.knowledge.finetuning.preflight import preflight, stored_bytes
from stabn.knowledge.finetuning.step import opened, read_lessons, set_up, take_steps
from stabn.knowledge.store.store import Store
from stabn.training.build import build_model, class_texts
from stabn.training.checkpoint import save
from stabn.training.preflight.findings import PreflightError
from stabn.training.process import TERMINATED, Process
from tests.preflights import everything_in, found, with_videos_of_its_own
from tests.side_by_side import stabn_on

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def said(caplog):
    caplog.set_level("INFO")
    return lambda: caplog.messages


def test_a_fine_tuning_that_will_go_through(settings, said):
    config = settings(schedule="one_cycle", also_report=["tuning"])
    preflight(config)
    lines = said()
    assert "train 12 · validation 9 · tuning 3 videos" in found(lines, "ok", "data")[0]
    told = "6 by 1 annotator of 6 videos: 6 (50.0% of train) are learned from, 0 were looked at"
    assert told in found(lines, "ok", "edits")[0]
    assert "begins; 1 process, fp32; arms: knowledge, control, placebo" in "".join(lines)
    assert "kept of each clip for the way back, 4 at a time" in found(lines, "ok", "memory")[0]
    assert "6 steps and scoring 4 networks: until" in found(lines, "ok", "time")[0]
    assert not any("FAULT" in line for line in lines)
    assert not config.folder.exists()  # what it trained is thrown away


def test_everything_in_the_way_is_told_at_once(settings, tmp_path):
    (tmp_path / "edits.json").write_text("{")
    (tmp_path / "tuned").write_text("a file where the folder should be")
    config = settings(
        out_dir=str(tmp_path), edits=str(tmp_path / "edits.json"), also_report=["exam", "trial"]
    )
    with pytest.raises(PreflightError) as error:
        preflight(config)
    message = str(error.value)
    assert message.startswith("4 things are in the run's way")
    assert f"folder: {tmp_path}/tuned cannot be written" in message
    assert f"edits: {tmp_path}/edits.json: is no JSON file, or a damaged one" in message
    assert "exam.json" in message
    assert "trial.json" in message


def test_edits_and_checkpoint_are_both_told(settings):
    config = settings(run="no/run", edits="no/edits.sqlite")
    with pytest.raises(PreflightError) as error:
        preflight(config)
    assert "checkpoint: no/run/best.pt: no such checkpoint" in str(error.value)
    assert "edits: no/edits.sqlite: no such store of edits" in str(error.value)


def test_a_placebo_that_is_as_the_edits_is_told(settings, edits, tmp_path, said):
    preflight(settings())
    (line,) = found(said(), "ok", "placebo")
    assert re.search(r"the placebo's levels lie 0\.[1-9]\d from the edits", line)
    alike = [replace(e, levels=(0.0,) + (1.0,) * (len(e.levels) - 1)) for e in edits]
    write_json(alike, tmp_path / "alike.json")
    preflight(settings(edits=str(tmp_path / "alike.json")))
    (line,) = found(said(), "warning", "placebo")
    assert "lie 0.00 from the edits" in line
    assert "both arms learn nearly the same" in line


def test_bf16_is_compared_with_fp32(settings, monkeypatch, said):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr("stabn.training.process._onednn_has_bf16", lambda: True)
    preflight(settings(precision="bf16"))
    assert "bf16: a step's loss is" in found(said(), "ok", "precision")[0]
    assert "begins; 1 process, bf16" in "".join(said())


def test_edits_of_a_store_are_counted_as_they_are_learned_from(settings, edits, tmp_path, said):
    store = Store(tmp_path / "edits.sqlite")
    store.register((edit.video_id, len(edit.levels)) for edit in edits)
    looked_at = replace(edits[0], levels=edits[0].attention)
    foreign = replace(edits[1], model="f" * 64)
    for edit in (looked_at, foreign, *edits[2:], replace(edits[2], annotator="bob")):
        store.save(edit, after=None)
    preflight(settings(edits=str(tmp_path / "edits.sqlite")))
    line = found(said(), "ok", "edits")[0]
    assert "7 by 2 annotators of 6 videos: 5 (41.7% of train) are learned from" in line
    assert "1 were looked at and not corrected" in line
    assert "1 of them correct another network's" in found(said(), "warning", "edits")[0]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"video_id": "4711"}, "edits: 1 of 2 are of videos outside the training split .4711"),
        ({"levels": (1.0,), "attention": (0.5,)}, "has 1 levels but .* frames"),
        ({"verdict": "bad_video", "levels": ()}, "edits: the placebo swaps edits"),
    ],
)
def test_edits_that_cannot_be_learned_from(settings, edits, tmp_path, change, fault):
    write_json([edits[0], replace(edits[1], **change)], tmp_path / "odd.json")
    with pytest.raises(PreflightError, match=fault):
        preflight(settings(edits=str(tmp_path / "odd.json")))


def test_an_edited_video_that_is_missing(settings, edits, tiny_set, tmp_path):
    root = with_videos_of_its_own(tiny_set, tmp_path / "set")
    (root / "videos" / f"{edits[0].video_id}.webm").unlink()
    with pytest.raises(PreflightError) as error:
        preflight(settings(data_root=str(root)))
    assert "videos: 1 of 21 videos are not in" in str(error.value)
    assert f"{edits[0].video_id}.webm" in str(error.value).split("edits:")[1]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"report_split": "exam"}, r"data: .*exam\.json"),
        ({"data_root": "no/set"}, "data: no/set: no such folder"),
        ({"batch_size": 13}, "run: batch_size: 13 is more than the 12 clips"),
    ],
)
def test_what_would_only_show_later(settings, values, fault):
    with pytest.raises(PreflightError, match=fault):
        preflight(settings(**values))


def test_a_network_without_attention(settings, tiny):
    config = tiny(model="baseline")
    texts = class_texts(config)
    torch.manual_seed(0)
    save(config.folder / "best.pt", build_model(config, len(texts)), config, texts)
    with pytest.raises(PreflightError, match=r"checkpoint: .*has no attention to correct"):
        preflight(settings(run=str(config.folder)))


def test_a_folder_that_cannot_be_written(settings, monkeypatch):
    def fail(path):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("stabn.training.preflight.ready.try_out", fail)
    with pytest.raises(PreflightError, match=r"folder: .*Read-only file system\); choose out_dir"):
        preflight(settings())


def test_the_disk_must_hold_the_checkpoints_of_all_arms(settings, monkeypatch):
    free = SimpleNamespace(free=1000)
    monkeypatch.setattr("stabn.training.preflight.ready.shutil.disk_usage", lambda path: free)
    with pytest.raises(PreflightError, match=r"disk: .* GiB of checkpoints"):
        preflight(settings())


def test_the_memory_must_hold_a_whole_share(settings, monkeypatch):
    free = SimpleNamespace(available=1000)
    monkeypatch.setattr("stabn.training.preflight.memory.psutil.virtual_memory", lambda: free)
    with pytest.raises(PreflightError, match=r"memory: .* kept of each clip.* lower batch_size"):
        preflight(settings())


def stored(path) -> int:
    """Bytes of the tensors in a checkpoint, names and padding left out."""
    with zipfile.ZipFile(path) as file:
        return sum(entry.file_size for entry in file.infolist() if "/data/" in entry.filename)


@pytest.mark.parametrize("arms", [["knowledge"], ["knowledge", "control", "placebo"]])
def test_what_will_be_stored_is_what_is_stored(settings, edits, arms):
    config = settings(arms=arms, optimizer="adamw", invert_spatial=False)
    before, run = opened(config)
    there = set_up(config, before, run, read_lessons(run, edits), ALONE)
    take_steps(there, next(iter(there.loader)))
    reckoned = stored_bytes(there)
    finetune(config)
    own = sum(stored(config.folder / f"{arm}.pt") for arm in arms)
    assert reckoned == pytest.approx(2 * stored(config.folder / "last.pt") + own, rel=0.02)


def test_one_taken_up_and_a_finished_one(settings, monkeypatch, said):
    config = settings(save_every=1, arms=["knowledge"])

    def terminate(*arguments, then=tuning.take_step):
        os.kill(os.getpid(), signal.SIGTERM)
        return then(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(tuning, "take_step", terminate)
        with pytest.raises(SystemExit):
            finetune(config)
    before = everything_in(config.folder)
    preflight(config)
    assert "goes on after step 1" in "".join(said())
    assert "5 steps" in found(said(), "ok", "time")[0]
    assert everything_in(config.folder) == before
    with pytest.raises(PreflightError, match=r"run: .*another configuration: gamma"):
        preflight(config.model_copy(update={"gamma": 1.0}))

    finetune(config)
    before = everything_in(config.folder)
    preflight(config)
    assert said()[-1].endswith("is fine-tuned already: nothing is left")
    assert everything_in(config.folder) == before


def test_a_damaged_state(settings):
    config = settings()
    config.folder.mkdir()
    (config.folder / "last.pt").write_bytes(b"PK torn")
    with pytest.raises(PreflightError, match=r"run: .*last\.pt: is truncated"):
        preflight(config)


def test_sigterm_ends_it(settings, monkeypatch):
    def terminate(*arguments, then=module.read_ahead):
        os.kill(os.getpid(), signal.SIGTERM)
        return then(*arguments)

    monkeypatch.setattr(module, "read_ahead", terminate)
    with pytest.raises(SystemExit) as left:
        preflight(settings())
    assert left.value.code == TERMINATED


@pytest.mark.slow(5)
def test_two_processes(settings):
    config = settings(workers=1)
    out = stabn_on(2, "preflight finetune", config)
    assert re.search(r"\[0\]   ok       run .* 2 processes", out)
    assert "2 at a time in 2 processes" in out
    assert not config.folder.exists()


@pytest.mark.slow(5)
def test_two_processes_stop_with_the_fault(settings):
    said = stabn_on(2, "preflight finetune", settings(edits="no/edits.json"), ends=1)
    assert "error: this is in the run's way:\n  edits: no/edits.json" in said


def test_the_command_line_answers_in_words(tmp_path, monkeypatch, stabn):
    (tmp_path / "f.yaml").write_text("name: x\nrun: no/run\nedits: no/edits.json\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"error: 2 things are in the run's way:\n  edits: no/edi"):
        stabn("preflight", "finetune", "--config", tmp_path / "f.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["f.yaml"]

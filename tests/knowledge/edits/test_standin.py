"""Stand-ins are the truth, said to be nobody's work, and wrong just where they are told to be."""

from dataclasses import replace

import numpy as np
import pytest

from stabn.data.mini.truth import read_truth
from stabn.data.ssv2 import read_classes, read_split
from stabn.knowledge.edits.edit import EditError
from stabn.knowledge.edits.exchange import read_json
from stabn.knowledge.edits.standin import noise_of, stand_in_edits
from stabn.knowledge.selection.queue import Queue, QueuedVideo, write_queue


@pytest.fixture
def queue(tiny_set, tmp_path) -> Queue:
    """Every training video of the tiny set."""
    classes = read_classes(tiny_set)
    videos = []
    for record in read_split(tiny_set, "train", classes):
        n = len(read_truth(tiny_set, record.video_id).levels)
        videos.append(
            QueuedVideo(record.video_id, record.class_id, 0, 0.1, (0.5,) * n, (0,) * 4, None)
        )
    return Queue(
        folder=tmp_path / "queue",
        run="runs/tiny",
        checkpoint="best",
        model="a" * 64,
        data_root=str(tiny_set),
        classes=classes,
        num_frames=4,
        splits=("train", "tuning"),
        weak=(0, 1, 2),
        accuracy={},
        videos=tuple(videos),
        key="k",
        provenance={},
    )


def test_without_noise_they_are_the_truth(queue, tiny_set):
    edits = stand_in_edits(queue)
    assert [edit.video_id for edit in edits] == [video.video_id for video in queue.videos]
    for edit in edits:
        np.testing.assert_array_equal(edit.levels, read_truth(tiny_set, edit.video_id).levels)
        assert "stand-in" in edit.annotator
        assert edit.model == queue.model
        assert edit.seconds == 0


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_noise_makes_that_share_of_every_videos_frames_wrong(queue, noise):
    for clean, noisy in zip(stand_in_edits(queue), stand_in_edits(queue, noise=noise), strict=True):
        differ = np.not_equal(clean.levels, noisy.levels)
        assert differ.sum() == round(noise * len(differ))
        assert set(noisy.levels) <= {0.0, 0.5, 1.0}
        assert (noise_of(clean.annotator), noise_of(noisy.annotator)) == (0, noise)
    assert noise_of("Ada") == 0


def test_the_queues_first_come_first(queue):
    few = stand_in_edits(queue, limit=2)
    assert [edit.video_id for edit in few] == [video.video_id for video in queue.videos[:2]]


def test_the_command_writes_what_finetuning_reads(queue, tmp_path, capsys, stabn):
    write_queue(queue)
    out = tmp_path / "edits.json"
    stabn("stand-in", "--queue", queue.folder, "--out", out, "--limit", 3)
    assert "3 stand-in edits, nobody's work" in capsys.readouterr().out
    assert [e.levels for e in read_json(out)] == [e.levels for e in stand_in_edits(queue, limit=3)]


def test_a_data_set_that_is_elsewhere_is_named(queue):
    with pytest.raises(EditError, match="nowhere: no such folder, and the queue is of its videos"):
        stand_in_edits(replace(queue, data_root="nowhere"))


def test_impossible_requests_are_named(queue, tmp_path, stabn):
    for options, said in [({"noise": 1.5}, "noise"), ({"limit": 0}, "limit")]:
        with pytest.raises(EditError, match=said):
            stand_in_edits(queue, **options)
    with pytest.raises(SystemExit, match=r"error: .*queue"):
        stabn("stand-in", "--queue", tmp_path / "nothing", "--out", tmp_path / "edits.json")

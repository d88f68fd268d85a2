"""A queue comes back as it was written, or says why not; its folder appears whole."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from stabn.knowledge.selection.queue import (
    Queue,
    QueuedVideo,
    QueueError,
    becoming,
    is_there,
    read_queue,
    write_queue,
)


@pytest.fixture
def queue(tmp_path) -> Queue:
    videos = (
        QueuedVideo("17", 1, 0, 0.125, (0.25, 0.5, 1.0), (0, 2), "features/00000.npz"),
        QueuedVideo("a video", 1, 2, 0.3, (0.1,), (0, 0), None),
    )
    return Queue(
        folder=tmp_path / "queue",
        run="runs/tiny",
        checkpoint="best",
        model="ab" * 32,
        data_root="data/tiny",
        classes=("Covering", "“Dropping” ärger", "Lifting"),
        num_frames=2,
        splits=("train", "tuning"),
        weak=(1,),
        accuracy={0: (1.0, 0.75), 1: (0.25, 0.5), 2: (0.5, None)},
        videos=videos,
        key="cd" * 32,
        provenance={"made": "2024-05-01T12:00:00+00:00", "code": {"commit": None}},
        failed={"19": "videos/19.webm: is an empty file"},
    )


def test_the_same_queue_comes_back(queue):
    write_queue(queue)
    assert read_queue(queue.folder) == queue
    assert read_queue(str(queue.folder)).video("a video").frames == 1


def test_a_queue_that_an_editor_saved_with_a_byte_order_mark(queue):
    write_queue(queue)
    path = queue.folder / "queue.json"
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_queue(queue.folder) == queue


def test_a_queue_from_before_broken_videos_were_listed_is_read(queue):
    write_queue(queue)
    path = queue.folder / "queue.json"
    values = json.loads(path.read_text())
    del values["failed"]
    path.write_text(json.dumps(values))
    assert read_queue(queue.folder) == replace(queue, failed={})


def test_a_moved_queue_knows_where_it_is(queue, tmp_path):
    write_queue(queue)
    queue.folder.rename(tmp_path / "moved")
    assert read_queue(tmp_path / "moved") == replace(queue, folder=tmp_path / "moved")


def test_reading_needs_no_pytorch(queue):
    write_queue(queue)
    code = (
        "import sys; from stabn.knowledge.selection.queue import read_queue;"
        "read_queue(sys.argv[1]);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(queue.folder)], check=True)


def test_an_unknown_video_is_named(queue):
    with pytest.raises(QueueError, match="video 18 is not among its 2 videos"):
        queue.video("18")


def test_no_queue(tmp_path):
    with pytest.raises(QueueError, match=r"queue\.json: cannot be read \(No such file .*select"):
        read_queue(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "stabn queue 0"}'])
def test_something_else(queue, content):
    write_queue(queue)
    (queue.folder / "queue.json").write_text(content)
    with pytest.raises(QueueError, match=r"queue\.json: is (not JSON|no 'stabn queue 1')"):
        read_queue(queue.folder)


def first(**values):
    """A change of the first video's entry."""
    return lambda queue: queue["videos"][0].update(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (first(attention=[0.5, 1.5, 0]), r"videos\.0\.attention\.1: .*less than or equal to 1"),
        (first(attention=[0.5, float("nan"), 0]), r"videos\.0\.attention\.1"),
        (first(probability=None), r"videos\.0\.probability"),
        (first(label=-1), r"videos\.0\.label"),
        (first(label=3), "video '17': has a class beyond the 3 listed"),
        (first(sampled=[0, 3]), "video '17': samples frame 3 of 3"),
        (first(sampled=[0, 1, 2]), "video '17': samples 3 frames, no multiple of 2"),
        (first(features="../../secret.npz"), "video '17': has its features outside"),
        (first(video_id="../../etc/passwd"), "video '../../etc/passwd': its id names no file"),
        (first(video_id="7" * 10_000), "video '7777.*: its id names no file"),
        (first(video_id="a video"), "lists a video twice"),
        (lambda queue: queue.pop("model"), "model: .*required"),
        (lambda queue: queue.update(weak=["Covering"]), r"weak\.0"),
        (lambda queue: queue.update(accuracy={"0": [2, 0]}), r"accuracy\.0\.0"),
    ],
)
def test_what_is_wrong_is_named(queue, change, said):
    write_queue(queue)
    path = queue.folder / "queue.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(QueueError, match=rf"queue\.json: {said}"):
        read_queue(queue.folder)


def test_a_folder_appears_when_it_is_full(queue):
    with becoming(queue.folder, queue.key) as part:
        write_queue(replace(queue, folder=part))
        assert not queue.folder.exists()
    assert read_queue(queue.folder) == queue
    assert [path.name for path in queue.folder.parent.iterdir()] == ["queue"]


def fill_and_fail(queue, error):
    with becoming(queue.folder, queue.key) as part:
        (part / "features").mkdir()
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("damaged")])
def test_a_failure_leaves_nothing(queue, error):
    with pytest.raises(type(error)):
        fill_and_fail(queue, error)
    assert list(queue.folder.parent.iterdir()) == []


def test_a_full_disk_says_what_to_do(queue):
    said = r"queue: .* could not be written \(.*No space left.*set `limit`"
    with pytest.raises(QueueError, match=said):
        fill_and_fail(queue, OSError(28, "No space left on device"))
    assert list(queue.folder.parent.iterdir()) == []


def test_what_a_killed_selection_left_is_made_anew_and_anothers_is_not_touched(queue):
    own = queue.folder.with_name(f".queue.{queue.key[:12]}.part")
    others = queue.folder.with_name(".queue.ffffffffffff.part")
    for part in (own, others):
        (part / "features").mkdir(parents=True)
        (part / "features" / "00007.npz").write_bytes(b"half")
    with becoming(queue.folder, queue.key) as part:
        write_queue(replace(queue, folder=part))
    assert [path.name for path in queue.folder.iterdir()] == ["queue.json"]
    assert not own.exists()
    assert (others / "features" / "00007.npz").exists()


def test_is_there(queue):
    assert not is_there(queue.folder, queue.key)
    queue.folder.mkdir()
    assert not is_there(queue.folder, queue.key)  # an empty folder is no queue
    write_queue(queue)
    assert is_there(queue.folder, queue.key)


def test_another_queue_is_left_alone(queue):
    write_queue(queue)
    said = r"queue: holds another queue \(2 videos, model abababab, made 2024.*give another `out`"
    with pytest.raises(QueueError, match=said):
        is_there(queue.folder, "ef" * 32)
    assert read_queue(queue.folder) == queue


def test_something_in_the_way_is_left_alone(queue):
    queue.folder.mkdir()
    (queue.folder / "thesis.tex").touch()
    said = r"is in the way, and holds no queue.*give another `out`$"  # and does not say: remove it
    with pytest.raises(QueueError, match=said):
        is_there(queue.folder, queue.key)
    assert (queue.folder / "thesis.tex").exists()

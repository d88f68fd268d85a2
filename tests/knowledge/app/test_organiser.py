"""The organiser's page: figures that can be counted by hand, files that can be read back."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stabn.knowledge.app.organiser import (
    Organiser,
    by_annotator,
    by_class,
    organise,
    report,
    safe_name,
    set_aside,
)
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import read_json
from stabn.knowledge.selection.queue import Queue, QueuedVideo, write_queue
from stabn.knowledge.store.store import Store

EVIL = "<script>alert(1)</script>"
CLASSES = (f"Covering {EVIL}", "Lifting")


@pytest.fixture
def queue(tmp_path) -> Queue:
    made = Queue(
        folder=tmp_path / "run" / "queue",
        run="runs/tiny",
        checkpoint="best",
        model="ab" * 32,
        data_root="data/tiny",
        classes=CLASSES,
        num_frames=2,
        splits=("train", "tuning"),
        weak=(0,),
        accuracy={},
        videos=tuple(
            QueuedVideo(video_id, label, 1, 0.2, (0.5, 0.5, 0.5), (0, 2), None)
            for video_id, label in (("a", 0), ("b", 0), ("c", 1), ("d", 1))
        ),
        key="cd" * 32,
        provenance={},
    )
    write_queue(made)
    return made


def edit(video_id: str, annotator: str, levels: tuple, seconds: float = 30, **more) -> Edit:
    values = {
        "verdict": "edited",
        "model": "ab" * 32,
        "attention": (0.5, 0.5, 0.5),
        "made": datetime(2024, 5, 1, 12, tzinfo=UTC),
    }
    return Edit(
        video_id=video_id,
        annotator=annotator,
        levels=levels,
        seconds=seconds,
        **(values | more),
    )


@pytest.fixture
def edits() -> list[Edit]:
    """Ada and Eve disagree about one frame of a; Eve sets c aside; d and b are left."""
    return [
        edit("a", "Ada", (0, 1, 1), 60),
        edit("a", EVIL, (0, 1, 0.5), 20),
        edit("c", EVIL, (), 40, verdict="cannot_tell"),
    ]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run" / "edits.sqlite"


@pytest.fixture
def store(path, queue, edits) -> Store:
    store = Store(path)
    store.register((video.video_id, video.frames) for video in queue.videos)
    for one in edits:
        store.save(one, after=None)
    store.claim("Bob", "d")
    return store


def test_by_class(queue, edits, store):
    table = by_class(queue, edits, store.progress()).set_index("class")
    assert table.loc[CLASSES[0]].to_dict() == {
        "videos": 2, "edited": 1, "nothing to correct": 0, "cannot tell": 0, "bad video": 0,
        "left": 1, "open now": 0,
    }  # fmt: skip
    assert table.loc[CLASSES[1]].to_dict() == {
        "videos": 2, "edited": 0, "nothing to correct": 0, "cannot tell": 1, "bad video": 0,
        "left": 1, "open now": 1,
    }  # fmt: skip


def test_by_annotator(edits):
    untouched = edit("b", "Ada", (), 0, verdict="nothing_to_correct")
    table = by_annotator([*edits, untouched]).set_index("annotator")
    columns = ["edited", "nothing to correct", "cannot tell", "bad video"]
    assert table.loc["Ada", columns].tolist() == [1, 1, 0, 0]
    assert table.loc["Ada", "minutes"] == 1
    assert table.loc[EVIL, ["edited", "cannot tell", "bad video"]].tolist() == [1, 1, 0]
    assert table.loc[EVIL, ["minutes", "median s a video"]].tolist() == [1, 30]
    assert table.loc["Ada", "last (UTC)"] == "2024-05-01 12:00"


def test_set_aside(edits):
    assert set_aside(edits).to_numpy().tolist() == [["c", "cannot tell", EVIL]]


def test_the_report_says_it_in_words_and_escapes_texts(queue, edits, store):
    html = report(queue, edits, store.progress())
    assert "2 of 4 videos are done by somebody, 3 edits by 2 annotators" in html
    assert "Krippendorff's α" in html.replace("&#x27;", "'")
    assert EVIL not in html
    assert html.count("&lt;script&gt;") >= 4


def test_edits_for_another_network_are_counted(queue, edits, store):
    other = edit("b", "Ada", (0, 0, 0), model="cd" * 32)
    assert "1 edits were made for another network" in report(
        queue, [*edits, other], store.progress()
    )


def test_before_anybody_came(queue):
    progress = pd.DataFrame({"video_id": list("abcd"), "leased_by": [()] * 4})
    html = report(queue, [], progress)
    assert "0 of 4 videos" in html
    assert "cannot be computed yet" in html
    assert html.count("none yet") == 3


def test_export_can_be_read_back(store, path, queue, edits):
    page = organise(path, queue.folder)
    assert "edits are in" in page.export()
    (folder,) = (path.parent / "exports").iterdir()
    assert sorted(read_json(folder / "edits.json"), key=str) == sorted(edits, key=str)
    files = {path.parts[-3]: path for path in folder.glob("npy/*/*/*.npy")}
    assert files.keys() == {f"1-{safe_name(EVIL)}", "2-Ada"}
    assert {path.name for path in files.values()} == {"a.npy"}
    assert np.load(files["2-Ada"]).tolist() == [0, 1, 1]


def test_a_backup_is_a_store(store, path, queue, edits):
    page = organise(path, queue.folder)
    page.backup()
    (copy,) = (path.parent / "exports").glob("backup-*.sqlite")
    assert Store(copy, create=False).edits() == store.edits()


def test_only_this_queues_videos_count(store, path, queue):
    store.register([("elsewhere", 3)])
    store.save(edit("elsewhere", "Ada", (0, 0, 0)), after=None)
    page = organise(path, queue.folder)
    assert "3 edits by 2 annotators" in page.report.value


def test_refreshing_sees_what_is_new(store, path, queue):
    page = organise(path, queue.folder)
    store.save(edit("b", "Ada", (0, 0, 0)), after=None)
    page.children[0].children[0].click()
    assert "4 edits by 2 annotators" in page.report.value
    assert "As of" in page.message.value


def test_what_fails_is_said(store, path, queue, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    page = Organiser(store, queue, blocked)
    for button in page.children[0].children[1:]:
        button.click()
        assert "role='alert'" in page.message.value
        assert "blocked" in page.message.value


def test_without_a_queue_it_says_what_to_do(tmp_path):
    assert "select.ipynb" in organise(tmp_path / "edits.sqlite", tmp_path / "queue").value


@pytest.mark.parametrize("name", ["..", ".", "a/b", "名", "a b", "\\\\x"])
def test_names_become_folders_that_stay_where_they_are(name):
    assert safe_name(name).replace("_", "").isalnum()
    assert safe_name(name).isascii()

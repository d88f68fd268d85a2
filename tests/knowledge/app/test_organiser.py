"""The organiser's page: figures that can be counted by hand, files that can be read back."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from stabn.knowledge.app import exports, organiser
from stabn.knowledge.app.compare import compared
from stabn.knowledge.app.deciding import by_number
from stabn.knowledge.app.downloads import FILES
from stabn.knowledge.app.organiser import Organiser, organise
from stabn.knowledge.app.report import (
    by_annotator,
    by_class,
    care_report,
    not_judged,
    progress_report,
)
from stabn.knowledge.edits.care import signs
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import folder_of, read_json
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


def press(box, label: str) -> None:
    """Click the button of that name, somewhere inside."""
    for child in box.children:
        if getattr(child, "description", "") == label:
            child.click()
        elif hasattr(child, "children"):
            press(child, label)


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


def test_not_judged(edits):
    assert not_judged(edits).to_numpy().tolist() == [["c", "cannot tell", EVIL]]


def test_the_report_says_it_in_words_and_escapes_texts(queue, edits, store):
    html = progress_report(queue, edits, store.progress())
    assert "2 of 4 videos are done by somebody: 3 answers by 2 annotators." in html
    assert "Krippendorff's α" in html.replace("&#x27;", "'")
    assert EVIL not in html
    assert html.count("&lt;script&gt;") >= 4


def test_edits_for_another_network_are_counted(queue, edits, store):
    other = edit("b", "Ada", (0, 0, 0), model="cd" * 32)
    assert "Made for another network: 1 answer." in progress_report(
        queue, [*edits, other], store.progress()
    )


def test_before_anybody_came(queue):
    progress = pd.DataFrame({"video_id": list("abcd"), "leased_by": [()] * 4})
    html = progress_report(queue, [], progress)
    assert "0 of 4 videos" in html
    assert "cannot be computed yet" in html
    assert "--overlap 2" in html
    assert html.count("none yet") == 3


def test_export_can_be_read_back(store, path, queue, edits):
    page = organise(path, queue.folder)
    assert "3 answers written to" in page.export()
    (folder,) = (path.parent / "exports").iterdir()
    assert sorted(read_json(folder / "edits.json"), key=str) == sorted(edits, key=str)
    files = {path.parts[-3]: path for path in folder.glob("npy/*/*/*.npy")}
    assert files.keys() == {folder_of(1, EVIL), "2-Ada"}
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
    assert "3 answers by 2 annotators" in page.report.value


def test_refreshing_sees_what_is_new(store, path, queue):
    page = organise(path, queue.folder)
    store.save(edit("b", "Ada", (0, 0, 0)), after=None)
    page.children[0].children[0].click()
    assert "4 answers by 2 annotators" in page.report.value


def test_what_fails_is_said(store, path, queue, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    page = Organiser(store, queue, blocked)
    for button in page.children[0].children[1:]:
        button.click()
        assert "role='alert'" in page.message.value
        assert "blocked" in page.message.value


def test_what_comes_later_is_seen_without_a_reload(store, path, queue):
    """A queue that grew, and somebody new."""

    async def wait() -> str:
        page = organise(path, queue.folder)
        grown = replace(queue, videos=(*queue.videos, replace(queue.videos[0], video_id="new")))
        write_queue(grown)
        store.register([("new", 3)])
        store.save(edit("new", "Noor", (0, 0, 1)), after=None)
        while "3 of 5 videos" not in page.report.value:
            await asyncio.sleep(0.01)
        assert "Noor" in page.care.value
        assert "new" in [value for _, value in page.video.options]
        assert ("Noor", "Noor") in page.deciding.annotator.options
        page._looking.cancel()
        return page.as_of.value

    with patch.object(organiser, "EVERY", 0.01):
        as_of = asyncio.run(asyncio.wait_for(wait(), 60))
    assert "<p role='note'>As of <time" in as_of  # of the numbers, and not read aloud


def test_a_store_that_is_lost_is_said_where_the_time_of_the_numbers_stands(store, path, queue):
    page = organise(path, queue.folder)
    before = page.report.value
    path.unlink()
    page._try(page.refresh, page.as_of, role="note")
    assert "role='alert'" in page.as_of.value
    assert str(path) not in page.as_of.value
    assert page.report.value == before


def test_answered_videos_come_first_with_names_and_numbers_in_order(store, path, queue):
    store.exclude(EVIL, who="Olga", why="at random")
    page = organise(path, queue.folder)
    texts = [text for text, _ in page.video.options[1:]]
    assert texts == [
        *(f"a: {CLASSES[0]} ({EVIL}, Ada)", f"c: {CLASSES[1]} ({EVIL})"),
        *(f"b: {CLASSES[0]}", f"d: {CLASSES[1]}"),
    ]
    page.video.value = "a"
    store.save(edit("b", "Ada", (0, 0, 0)), after=None)
    with patch.object(page, "look") as look:
        page.refresh()
    assert page.video.value == "a"
    look.assert_not_called()  # what is looked at stays as it is while others work
    assert sorted(["100", "9", "10"], key=by_number) == ["9", "10", "100"]


def test_the_largest_sign_comes_first_and_names_are_in_order(edits):
    table = signs([*edits, edit("d", "Zoe", (), 1, verdict="nothing_to_correct")])

    def order(by: str) -> list[str]:
        html = care_report(table, by)
        return sorted(["Ada", "&lt;script&gt;", "Zoe"], key=html.index)

    legend = care_report(table, "fast")
    assert "<th title='share of their videos done in less time" in legend
    assert "<b>off gold</b>: how far" in legend
    (zoe,) = re.findall("<td>Zoe</td>.*?</tr>", legend, re.DOTALL)
    assert re.findall("<td>(.*?)</td>", zoe)[2:6] == ["100%", "100%", "–", "0"]
    assert order("annotator") == ["&lt;script&gt;", "Ada", "Zoe"]
    assert order("unchanged")[0] == "Zoe"
    assert order("videos")[0] == "&lt;script&gt;"
    assert EVIL not in care_report(table, "fast")


def test_sorting_is_a_choice(store, path, queue):
    page = organise(path, queue.folder)
    page.sort.value = "annotator"
    assert page.care.value == care_report(signs(store.edits()), "annotator")


class TestDeciding:
    def choose(self, page: Organiser, annotator: str, video: str | None = None) -> None:
        page.deciding.annotator.value = annotator
        if video:
            page.deciding.video.value = video
        page.deciding.who.value, page.deciding.why.value = "Olga", "pressed Enter " + EVIL

    def test_somebody_is_set_aside_and_heard_again(self, store, path, queue, edits):
        page = organise(path, queue.folder)
        self.choose(page, EVIL)
        press(page.deciding, "Set aside")
        assert [e.annotator for e in store.edits()] == ["Ada"]
        assert "1 answer by 1 annotator. 2 more set aside (&lt;script&gt;" in page.report.value
        assert "&lt;script&gt;" not in page.care.value
        (decision,) = store.exclusions()
        assert (decision.who, decision.why) == ("Olga", "pressed Enter " + EVIL)
        decisions = page.deciding.children[-1].value
        now, log = decisions.split("<h3>All decisions</h3>")
        assert "&lt;script&gt;" in now
        assert "set aside" in log
        assert EVIL not in decisions

        assert page.deciding.annotator.value == EVIL  # can still be chosen, and is
        press(page.deciding, "Hear again")
        assert len(store.edits()) == len(edits)
        assert "3 answers by 2 annotators" in page.report.value
        assert "none yet" in page.deciding.children[-1].value.split("<h3>All decisions</h3>")[0]
        assert page.message.value == ""  # each answer stands beside its button

    def test_one_video_of_somebody_set_aside_as_a_whole(self, store, path, queue):
        store.exclude(EVIL, who="Olga", why="at random")
        page = organise(path, queue.folder)
        self.choose(page, EVIL, "a")
        press(page.deciding, "Hear again")
        said = "is set aside as a whole; hear all of their videos again first"
        assert said in page.deciding.answer.value
        assert str(path) not in page.deciding.answer.value

    def test_an_export_leaves_them_out_and_says_so(self, store, path, queue):
        page = organise(path, queue.folder)
        assert "set aside" not in page.export()
        store.exclude(EVIL, who="Olga", why="=pressed Enter")
        folder = path.parent / "exports" / "after"
        page._folder = folder
        assert page.export().endswith("; 2 set aside, and not among them")
        (inner,) = folder.iterdir()
        assert [e.annotator for e in read_json(inner / "edits.json")] == ["Ada"]
        (decision,) = pd.read_csv(inner / "decisions.csv").to_dict("records")
        said = (EVIL, True, "Olga", "'=pressed Enter")
        assert tuple(decision[k] for k in ("annotator", "excluded", "who", "why")) == said

    def test_one_edit_is_set_aside(self, store, path, queue):
        page = organise(path, queue.folder)
        self.choose(page, EVIL, "a")
        page.video.value = "a"
        press(page.deciding, "Set aside")
        assert "set aside" in page.seen.value
        assert [(e.video_id, e.annotator) for e in store.edits()] == [("a", "Ada"), ("c", EVIL)]

    def test_without_a_reason_nothing_happens(self, store, path, queue, edits):
        page = organise(path, queue.folder)
        self.choose(page, EVIL)
        page.deciding.why.value = " "
        press(page.deciding, "Set aside")
        assert "<p role='alert'><b>Please give a reason" in page.deciding.answer.value
        page.deciding.who.value = ""
        press(page.deciding, "Set aside")
        assert "Please give the name" in page.deciding.answer.value
        assert len(store.edits()) == len(edits)

    def test_before_anybody_came_there_is_nobody_to_choose(self, tmp_path, queue):
        page = organise(tmp_path / "empty.sqlite", queue.folder)
        press(page.deciding, "Set aside")
        assert "Choose an annotator first" in page.deciding.answer.value


class TestLookingAtAVideo:
    def test_everybodys_levels_are_one_above_the_other(self, queue):
        aside = [edit("a", "Zoe", (1, 1, 1), 7)]
        unchanged = edit("a", "Bob", (), 9, verdict="nothing_to_correct")
        said = [edit("a", "Ada", (0, 1, 1)), edit("a", EVIL, (), verdict="bad_video"), unchanged]
        html = compared(queue, "a", [*said, edit("b", "Eve", (1, 1, 1))], aside)
        words = "by network: none; 1 Ada: 1 to 2; 2 Zoe: 0 to 2; consensus: 1 to 2."
        assert f"Frames at level 1 {words}" in html
        cells = [unescape(cell) for cell in re.findall("<td>(.*?)</td>", html)]
        made = "2024-05-01 12:00"
        assert cells == [
            *("1 Ada", "Ada", "edited", "30.00", made, "yes"),
            *("–", EVIL, "bad video", "30.00", made, "yes"),
            *("–", "Bob", "nothing to correct", "9.00", made, "yes"),
            *("2 Zoe", "Zoe", "edited", "7.00", made, "set aside"),
        ]
        assert "<th></th>" not in html
        assert "<h3>Video a: Covering &lt;script&gt;" in html
        assert "background: #00224e'></span> 0 irrelevant" in html
        assert EVIL not in html
        assert "role='alert'" in html  # data/tiny is not there, so there are no frames
        assert "no such folder" in html

    def test_it_is_chosen_from_the_queue(self, store, path, queue):
        page = organise(path, queue.folder)
        page.video.value = "b"
        assert "Nobody has answered it yet" in page.seen.value
        page.video.value = "a"
        assert "Ada" in page.seen.value
        page.video.value = ""
        assert page.seen.value == ""


def test_tables_are_written_as_csv_that_no_spreadsheet_runs(store, path, queue, tmp_path):
    formula = '=HYPERLINK("http://elsewhere.org")'
    store.save(edit("b", formula, (0, 0.5, 1)), after=None)
    assert exports.write(store, queue, tmp_path / "out") == 4
    edits = pd.read_csv(tmp_path / "out/edits.csv")
    assert edits.video.tolist() == ["a", "a", "b", "c"]
    assert edits.changed.tolist() == [2, 3, 2, 0]
    assert edits["class"].tolist() == [CLASSES[0]] * 3 + [CLASSES[1]]
    assert f"'{formula}" in edits.annotator.tolist()
    annotators = pd.read_csv(tmp_path / "out/annotators.csv")
    assert set(annotators.annotator) == {"Ada", EVIL, f"'{formula}"}


def test_gold_is_compared_and_kept_out_of_what_networks_learn(store, path, queue, edits):
    known = edit("a", "an expert", (0, 0, 1), 99)
    store.gold.name([known])
    page = organise(path, queue.folder)
    care = signs(edits, [known]).set_index("annotator")
    assert care.loc["Ada", ["off gold", "gold"]].tolist() == [pytest.approx(1 / 3), 1]
    assert page.care.value == care_report(signs(edits, [known]), "unchanged")
    page.video.value = "a"
    alt = re.findall("alt=.(Frames at level 1[^>]*?)['\"] style", page.seen.value)
    assert [unescape(words) for words in alt] == [
        "Frames at level 1 by network: none; gold: 2 to 2; "
        "1 <script>alert(1…: 1 to 1; 2 Ada: 1 to 2; consensus: 1 to 1."
    ]
    page.export()
    (folder,) = (path.parent / "exports").iterdir()
    assert read_json(folder / "gold.json") == [known]
    assert [e.video_id for e in read_json(folder / "edits.json")] == ["c"]
    assert not list(folder.glob("npy/*"))
    assert pd.read_csv(folder / "edits.csv").video.tolist() == ["a", "a", "c"]


def test_a_page_that_no_server_shows_has_no_downloads(store, path, queue):
    assert len(organise(path, queue.folder).children[0].children) == 3
    links = organise(path, queue.folder, served_at="/study/organise/").children[0].children[-1]
    for name in FILES:
        assert f"href='/study/organise/download/{name}'" in links.value


def test_without_a_queue_it_says_what_to_do(tmp_path):
    assert "select.ipynb" in organise(tmp_path / "edits.sqlite", tmp_path / "queue").value

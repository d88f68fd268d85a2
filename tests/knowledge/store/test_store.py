"""A store keeps every revision, hands out videos by its rules, and says what is wrong with it."""

import os
import random
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa

from stabn.knowledge.edits.edit import UNKNOWN_MODEL, EditError
from stabn.knowledge.store import revisions
from stabn.knowledge.store.database import ConnectionLost, StoreError
from stabn.knowledge.store.revisions import Conflict, Revision
from stabn.knowledge.store.schema import VERSION
from stabn.knowledge.store.store import Store

STRANGE = [
    "Robert'); DROP TABLE stabn_revisions;--",
    '"; DELETE FROM stabn_videos; --',
    "👩🏽‍🔬 Zoë % _ \\ ' \" ` ; :name ?",
    "<script>alert(1)</script>",
    "名無し\n\ttab",
    " leading and trailing ",
]


def at_once(store_url: str, save: Callable[[Store, int], int]) -> list[float]:
    """What six who save at the very same moment are told: a number, or the seconds of the other."""
    outcomes, start = [], threading.Barrier(6)

    def attempt(i: int) -> None:
        own = Store(store_url)
        start.wait()
        try:
            outcomes.append(float(save(own, i)))
        except Conflict as conflict:
            outcomes.append(conflict.theirs.seconds)

    threads = [threading.Thread(target=attempt, args=(i + 10,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


class TestSaving:
    def test_revisions_are_numbered_from_one_and_kept(self, store, make_edit):
        edits = [make_edit(seconds=float(i)) for i in range(5)]
        after = None
        for number, edit in enumerate(edits, start=1):
            after = store.save(edit, after=after)
            assert after == number
        assert store.revisions() == [Revision(i + 1, edit) for i, edit in enumerate(edits)]
        assert store.latest("a", "Ada") == Revision(5, edits[-1])
        assert store.edits() == [edits[-1]]

    def test_another_process_sees_the_same(self, store, store_url, make_edit):
        store.save(make_edit(), after=None)
        assert Store(store_url, create=False).revisions() == store.revisions()

    def test_numbers_and_times_come_back_to_the_bit(self, store, make_edit):
        rng = np.random.default_rng(0)
        edit = make_edit(
            levels=rng.random(8),
            attention=rng.random(8, np.float32),
            made=datetime.now(UTC),
            seconds=1 / 3,
        )
        store.save(edit, after=None)
        assert store.latest("a", "Ada").edit == edit

    @pytest.mark.parametrize("verdict", ["cannot_tell", "bad_video"])
    def test_verdicts_are_revisions_too(self, store, make_edit, verdict):
        store.save(make_edit(), after=None)
        store.save(make_edit(verdict=verdict), after=1)
        assert store.edits() == [make_edit(verdict=verdict)]

    @pytest.mark.parametrize("text", STRANGE)
    def test_any_text_goes_in_and_out_unchanged(self, store, make_edit, text):
        store.register([(text, 8)])
        edit = make_edit(video_id=text, annotator=text)
        assert store.save(edit, after=None) == 1
        assert store.latest(text, text) == Revision(1, edit)
        store.skip(text, "a")
        assert store.lease(text) == "b"
        assert store.progress().video_id.tolist() == ["a", "b", "c", "d", text]
        assert store.progress().leased_by.tolist() == [(), (text,), (), (), ()]

    def test_two_tabs(self, store, make_edit):
        """Whoever comes second is told what the first saved, and nothing is overwritten."""
        mine, theirs = make_edit(seconds=1.0), make_edit(seconds=2.0)
        store.save(mine, after=None)
        store.save(theirs, after=1)
        for after in (None, 1):
            with pytest.raises(Conflict, match=r"video a: Ada is at revision 2") as caught:
                store.save(make_edit(seconds=3.0), after=after)
            assert caught.value.theirs == theirs
        assert [revision.edit for revision in store.revisions()] == [mine, theirs]
        assert store.save(make_edit(seconds=3.0), after=2) == 3

    def test_at_the_very_same_moment(self, store_url, store, make_edit):
        """Of many who follow the same revision, exactly one is heard."""
        outcomes = at_once(
            store_url, lambda own, i: own.save(make_edit(seconds=float(i)), after=None)
        )
        (kept,) = store.revisions()
        assert sorted(outcomes) == [1, *[kept.edit.seconds] * 5]

    def test_saving_again_after_the_answer_was_lost(self, store, make_edit):
        store.save(make_edit(), after=None)
        assert store.save(make_edit(), after=None) == 1
        assert len(store.revisions()) == 1
        assert store.save(make_edit(), after=1) == 2  # meant: it follows itself

    def test_strokes_in_a_breath_take_one_row_and_a_new_number(self, store, make_edit):
        first, second, other = (make_edit(seconds=float(i)) for i in range(3))
        store.save(first, after=None)
        assert store.save(second, after=1, replacing=True) == 2
        assert store.revisions() == [Revision(2, second)]
        assert store.save(second, after=1, replacing=True) == 2  # the answer was lost
        for after, replacing in ((1, True), (1, False), (None, True)):  # a tab that saw the first
            with pytest.raises(Conflict, match="Ada is at revision 2") as caught:
                store.save(other, after=after, replacing=replacing)
            assert caught.value.theirs == second
        assert store.save(other, after=2) == 3
        assert [revision.number for revision in store.revisions()] == [2, 3]

    def test_one_breath_of_two_tabs_at_the_very_same_moment(self, store_url, store, make_edit):
        store.save(make_edit(), after=None)
        outcomes = at_once(
            store_url,
            lambda own, i: own.save(make_edit(seconds=float(i)), after=1, replacing=i % 2 == 0),
        )
        assert sorted(outcomes) == [2.0, *[store.latest("a", "Ada").edit.seconds] * 5]

    def test_after_a_revision_that_is_not_there(self, store, make_edit):
        with pytest.raises(StoreError, match=r"video a: holds no revision of Ada.*after 7"):
            store.save(make_edit(), after=7)
        store.save(make_edit(), after=None)
        with pytest.raises(Conflict, match="Ada is at revision 1"):
            store.save(make_edit(seconds=1.0), after=7)

    def test_an_unknown_video(self, store, make_edit):
        with pytest.raises(StoreError, match="video z: is unknown; register it first"):
            store.save(make_edit("z"), after=None)
        assert store.revisions() == []

    def test_another_number_of_frames(self, store, make_edit):
        edit = make_edit(levels=(1.0,) * 9, attention=(0.5,) * 9)
        with pytest.raises(StoreError, match="video a: has 8 frames, the edit 9"):
            store.save(edit, after=None)
        assert store.revisions() == []

    @pytest.mark.parametrize("seed", range(3))
    def test_what_is_asked_for_is_what_was_saved(self, store, make_edit, seed):
        """Against the slow version: a list of everything that was saved."""
        rng, saved, numbers = random.Random(seed), [], {}
        for i in range(25):
            video_id, annotator = rng.choice("abcd"), rng.choice(["Ada", "Bo", "Cy"])
            edit = make_edit(video_id, annotator, seconds=float(i))
            key = video_id, annotator
            numbers[key] = store.save(edit, after=numbers.get(key))
            assert numbers[key] == 1 + sum((e.video_id, e.annotator) == key for e in saved)
            saved.append(edit)
        assert [r.edit for r in store.revisions()] == saved
        assert [r.edit for r in store.revisions("a")] == [e for e in saved if e.video_id == "a"]
        assert [r.edit for r in store.revisions(annotator="Bo")] == [
            e for e in saved if e.annotator == "Bo"
        ]
        latest = {(e.video_id, e.annotator): e for e in saved}
        assert store.edits() == [latest[key] for key in sorted(latest)]
        for key, edit in latest.items():
            assert store.latest(*key) == Revision(numbers[key], edit)
        assert store.revisions("a", "nobody") == []
        assert store.latest("a", "nobody") is None


class TestTakingIn:
    def test_the_newer_one_is_the_latest(self, store, make_edit):
        def at(day: int, **more):
            return make_edit(made=datetime(2024, 5, day, tzinfo=UTC), **more)

        store.save(at(2), after=None)
        store.save(at(2, video_id="b"), after=None)
        given = [at(1), at(3, video_id="b"), at(2, video_id="c"), at(2, annotator="Bo")]
        assert store.take_in(given) == (3, 0, 1)
        assert store.take_in(given) == (0, 3, 1)
        assert store.edits() == [at(2), given[3], given[1], given[2]]
        assert store.latest("b", "Ada").number == 2

    def test_all_or_none(self, store, make_edit):
        with pytest.raises(StoreError, match="video z: is unknown; register it first"):
            store.take_in([make_edit(), make_edit("z")])
        assert store.revisions() == []


class TestRegister:
    def test_keeps_the_order_and_the_first_places(self, store):
        store.register([("z", 8), ("b", 8), ("y", 5), ("z", 8)])
        table = store.progress()
        assert table.video_id.tolist() == ["a", "b", "c", "d", "z", "y"]
        assert table.place.tolist() == [0, 1, 2, 3, 4, 5]
        assert table.frames.tolist() == [8, 8, 8, 8, 8, 5]

    @pytest.mark.parametrize(
        ("videos", "said"),
        [
            ([("z", 8), ("b", 9)], "video b: is known with 8 frames, not 9"),
            ([("z", 8), ("z", 9)], "video z: is known with 8 frames, not 9"),
            ([("z", 0)], "video z: has 0 frames"),
        ],
    )
    def test_all_or_nothing(self, store, videos, said):
        with pytest.raises(StoreError, match=said):
            store.register(videos)
        assert store.progress().video_id.tolist() == list("abcd")


class TestLeases:
    @pytest.fixture
    def now(self) -> list[float]:
        """The time of the clock, to be moved on."""
        return [1000.0]

    @pytest.fixture
    def store(self, store_url, now) -> Store:
        store = Store(store_url, clock=lambda: now[0])
        store.register((video_id, 8) for video_id in "abcd")
        return store

    def test_in_queue_order_and_never_to_two(self, store):
        assert [store.lease(name) for name in ("Ada", "Bo", "Cy")] == ["a", "b", "c"]
        assert store.lease("Ada") == "a"  # still theirs
        assert [store.lease(name) for name in ("Di", "Ed", "Flo")] == ["d", None, None]

    def test_finished_ones_are_not_handed_out_again(self, store, make_edit):
        store.save(make_edit("a", "Ada"), after=store.lease("Ada") and None)
        store.release("Ada", "a")
        assert store.lease("Ada") == "b"
        assert store.lease("Bo") == "c"

    def test_what_is_left_is_what_would_be_handed_out(self, store, make_edit):
        store.skip("Ada", "a")
        store.save(make_edit("b", "Bo"), after=None)
        store.lease("Cy", among="c")
        assert store.left("Ada") == ["d", "a"]
        assert store.left("Ada", overlap=2) == ["b", "c", "d", "a"]
        handed = []
        while (video_id := store.lease("Ada", overlap=2)) is not None:
            assert video_id in store.left("Ada", overlap=2)  # what one holds is left, too
            store.save(make_edit(video_id, "Ada"), after=None)
            store.release("Ada", video_id)
            handed.append(video_id)
        assert handed == ["b", "c", "d", "a"]
        assert store.left("Ada", overlap=2) == []

    def test_one_queue_of_several(self, store):
        assert store.lease("Ada", among=["c", "d", "x"]) == "c"
        assert store.lease("Ada", among=["b"]) == "b"  # not c, which another queue's page holds
        assert store.lease("Ada", among=["d", "c"]) == "c"
        assert store.lease("Bo", among=[]) is None

    def test_overlap(self, store, make_edit):
        for name in ("Ada", "Bo"):
            assert store.lease(name, overlap=2) == "a"
            store.save(make_edit("a", name), after=None)
        assert store.lease("Cy", overlap=2) == "b"
        store.release("Ada", "a")
        store.release("Bo", "a")
        assert store.lease("Di", overlap=2) == "b"  # two finished a: leases do not matter
        assert store.lease("Ed", overlap=2) == "c"
        assert store.lease("Flo", overlap=3) == "a"

    def test_who_holds_and_finished_counts_once(self, store, make_edit):
        store.lease("Ada")
        store.save(make_edit("a", "Ada"), after=None)
        assert store.lease("Bo", overlap=2) == "a"

    def test_they_end(self, store, now):
        assert store.lease("Ada", seconds=60) == "a"
        now[0] += 59
        assert store.lease("Bo", seconds=60) == "b"
        now[0] += 2
        assert store.lease("Cy", seconds=60) == "a"
        assert store.lease("Ada", seconds=60) == "c"  # gone, and lost to Cy

    def test_renewed(self, store, now):
        store.lease("Ada", seconds=60)
        now[0] += 59
        store.renew("Ada", "a", seconds=60)
        now[0] += 59
        assert store.lease("Bo") == "b"
        assert store.lease("Ada") == "a"

    def test_what_was_given_back_is_not_renewed(self, store):
        store.lease("Ada")
        store.release("Ada", "a")
        store.renew("Ada", "a")
        assert store.lease("Bo") == "a"

    def test_asking_again_lets_it_last(self, store, now):
        store.lease("Ada", seconds=60)
        now[0] += 59
        assert store.lease("Ada", seconds=60) == "a"
        now[0] += 59
        assert store.lease("Bo") == "b"

    def test_skipped_ones_come_back_last_and_in_turn(self, store, make_edit):
        order = []
        for step in ("skip", "skip", "save", "skip", "skip", "save", "save", "save"):
            video_id = store.lease("Ada")
            order.append(video_id)
            if step == "skip":
                store.skip("Ada", video_id)
            else:
                store.save(make_edit(video_id), after=None)
                store.release("Ada", video_id)
        assert "".join(order) == "abcdabda"[: len(order)]
        assert store.lease("Ada") is None

    def test_what_one_skips_another_gets(self, store):
        store.skip("Ada", store.lease("Ada"))
        assert store.lease("Bo") == "a"
        assert [store.lease("Ada"), store.lease("Cy"), store.lease("Di")] == ["b", "c", "d"]
        store.skip("Ada", "b")
        assert store.lease("Ada") == "b"  # a is skipped for longer, but Bo holds it

    def test_going_back_is_always_allowed(self, store, make_edit):
        store.save(make_edit("a", "Ada"), after=None)
        assert store.lease("Bo", overlap=2) == "a"
        store.claim("Ada", "a")
        assert store.lease("Ada") == "a"
        assert store.progress().leased_by[0] == ("Ada", "Bo")

    @pytest.mark.parametrize("act", ["claim", "skip"])
    def test_an_unknown_video(self, store, act):
        with pytest.raises(StoreError, match="video z: is unknown"):
            getattr(store, act)("Ada", "z")

    def test_at_the_very_same_moment(self, store_url, store):
        """Four who ask at once get four videos."""
        given, start = [], threading.Barrier(4)

        def ask(name: str) -> None:
            own = Store(store_url, clock=lambda: 1000.0)
            start.wait()
            given.append(own.lease(name))

        threads = [threading.Thread(target=ask, args=(name,)) for name in ("A", "B", "C", "D")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(given) == list("abcd")

    @pytest.mark.parametrize("seed", range(3))
    def test_the_rules_in_the_slow_version(self, store, now, make_edit, seed):
        rng = random.Random(seed)
        overlap = rng.choice([1, 2])
        names = ["Ada", "Bo", "Cy"]
        until, skipped, done = {}, {name: [] for name in names}, {name: [] for name in names}

        def live(video_id: str, name: str) -> bool:
            return until.get((video_id, name), 0) > now[0]

        def expected(name: str) -> str | None:
            for video_id in "abcd":
                if live(video_id, name):
                    return video_id
            unskipped = [v for v in "abcd" if v not in skipped[name]]
            for video_id in unskipped + skipped[name]:
                others = [n for n in names if n != name]
                busy = sum(video_id in done[n] or live(video_id, n) for n in others)
                if video_id not in done[name] and busy < overlap:
                    return video_id
            return None

        for _ in range(30):
            name = rng.choice(names)
            video_id = expected(name)
            assert store.lease(name, seconds=100, overlap=overlap) == video_id
            if video_id is None:
                now[0] += 60
                continue
            until[video_id, name] = now[0] + 100
            act = rng.choice(["nothing", "save", "save", "skip", "release", "wait"])
            if act == "save" and video_id not in done[name]:
                store.save(make_edit(video_id, name), after=None)
                done[name].append(video_id)
            elif act == "skip":
                store.skip(name, video_id)
                skipped[name] = [v for v in skipped[name] if v != video_id] + [video_id]
                del until[video_id, name]
            elif act == "release":
                store.release(name, video_id)
                del until[video_id, name]
            elif act == "wait":
                now[0] += rng.choice([10, 60, 101])


def test_progress(store, make_edit):
    store.save(make_edit("a", "Ada"), after=None)
    store.save(make_edit("a", "Ada", verdict="bad_video"), after=1)
    store.save(make_edit("a", "Bo"), after=None)
    store.claim("Cy", "b")
    store.claim("Ada", "b")
    table = store.progress()
    assert list(table) == ["video_id", "place", "frames", "finished", "leased_by", "verdicts"]
    assert table.finished.tolist() == [2, 0, 0, 0]
    assert table.leased_by.tolist() == [(), ("Ada", "Cy"), (), ()]
    assert table.verdicts.tolist() == [("bad_video", "edited"), (), (), ()]


def test_progress_of_an_empty_store(store_url):
    table = Store(store_url).progress()
    assert len(table) == 0
    assert "finished" in table


class TestBackup:
    def test_is_a_store_with_everything_in_it(self, store, make_edit, tmp_path):
        store.save(make_edit(annotator=STRANGE[0]), after=None)
        store.save(make_edit(annotator=STRANGE[0], seconds=1 / 3), after=1)
        store.claim("Ada", "b")
        store.skip("Ada", "c")
        store.backup(tmp_path / "new" / "copy.sqlite")
        copy = Store(tmp_path / "new" / "copy.sqlite", create=False)
        assert copy.revisions() == store.revisions()
        assert copy.progress().equals(store.progress())
        copy.release("Ada", "b")
        assert copy.lease("Ada") == "b"  # a is finished, c was skipped
        assert copy.save(make_edit(annotator=STRANGE[0]), after=2) == 3  # and one can go on there
        assert len(store.revisions()) == 2

    def test_overwrites_nothing(self, store, tmp_path):
        (tmp_path / "copy.sqlite").write_bytes(b"precious")
        with pytest.raises(StoreError, match=r"copy.sqlite: exists already"):
            store.backup(tmp_path / "copy.sqlite")
        assert (tmp_path / "copy.sqlite").read_bytes() == b"precious"

    def test_whole_or_not_at_all(self, store, tmp_path, monkeypatch):
        def refuse(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match=r"copy.sqlite: .* could not be written .*No space"):
            store.backup(tmp_path / "backups" / "copy.sqlite")
        assert os.listdir(tmp_path / "backups") == []


class TestOpening:
    def test_by_path_or_address(self, tmp_path, monkeypatch, make_edit):
        monkeypatch.chdir(tmp_path)
        store = Store("folder/edits #1 50%?.sqlite")
        store.register([("a", 8)])
        store.save(make_edit(), after=None)
        monkeypatch.chdir("/")  # a store stays where it was opened
        assert len(store.revisions()) == 1
        path = tmp_path / "folder" / "edits #1 50%?.sqlite"
        assert path.is_file()
        assert Store(path, create=False).revisions() == store.revisions()

    @pytest.mark.parametrize("address", ["~/edits.sqlite", "sqlite:///~/edits.sqlite"])
    def test_in_the_home_folder(self, tmp_path, monkeypatch, address):
        monkeypatch.setenv("HOME", str(tmp_path))
        Store(address)
        assert (tmp_path / "edits.sqlite").is_file()

    def test_sqlite_is_as_durable_as_promised(self, tmp_path, make_edit):
        Store(f"sqlite:///{tmp_path}/edits.sqlite")
        store = Store(tmp_path / "edits.sqlite")
        with store._database._engine.connect() as connection:
            ask = lambda name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()  # noqa: E731
            assert (ask("journal_mode"), ask("synchronous"), ask("foreign_keys")) == ("wal", 2, 1)

    def test_none_there(self, tmp_path):
        with pytest.raises(StoreError, match=r"none.sqlite: no such store of edits"):
            Store(tmp_path / "none.sqlite", create=False)
        assert os.listdir(tmp_path) == []
        with pytest.raises(StoreError, match="is no file"):
            Store(tmp_path)

    def test_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match=r"edits.sqlite: cannot be made .*another folder"):
            Store(tmp_path / "file" / "edits.sqlite")

    @pytest.mark.parametrize("content", [b"not a database, " * 100, bytes(range(256)) * 20])
    def test_no_database(self, tmp_path, content):
        path = tmp_path / "edits.sqlite"
        path.write_bytes(content)
        for create in (True, False):
            with pytest.raises(StoreError, match=r"edits.sqlite: is no database; give another"):
                Store(path, create=create)
        assert path.read_bytes() == content

    def test_somebody_elses_database(self, tmp_path):
        path = tmp_path / "bookmarks.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE bookmarks (url TEXT)")
        for create in (True, False):
            with pytest.raises(StoreError, match=r"bookmarks.sqlite: holds no store of edits"):
                Store(path, create=create)

    def test_empty_database_is_filled_only_on_request(self, postgresql_url, tmp_path):
        (tmp_path / "edits.sqlite").touch()
        for url in (postgresql_url, tmp_path / "edits.sqlite"):
            with pytest.raises(StoreError, match="holds no store of edits"):
                Store(url, create=False)
            assert Store(url).revisions() == []
            assert Store(url, create=False).revisions() == []

    def test_newer_version(self, store, store_url, make_edit):
        store.save(make_edit(), after=None)
        with store._database._engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE stabn_schema SET version = {VERSION + 1}"))
        with pytest.raises(StoreError, match=r"made by a newer stabn .*version 3.*update stabn"):
            Store(store_url)

    def test_older_version(self, store, store_url, make_edit):
        """Version 1 had no exclusions, and called edited what nobody had changed."""
        edits = [
            make_edit("a", verdict="nothing_to_correct", attention=(1 / 3, *(0.1,) * 7)),
            make_edit("b"),
            make_edit("c", levels=(0.1,) * 8, model=UNKNOWN_MODEL),
        ]
        store.take_in(edits)
        with store._database._engine.begin() as connection:
            for step in (
                "UPDATE stabn_revisions SET verdict = 'edited', levels = attention "
                "WHERE video_id = 'a'",
                "DROP TABLE stabn_exclusions",
                "UPDATE stabn_schema SET version = 1",
            ):
                connection.execute(sa.text(step))
        for old in (Store(store_url, create=False), Store(store_url)):
            assert old.edits() == edits
            assert old.progress().verdicts.tolist() == [
                ("nothing_to_correct",), ("edited",), ("edited",), ()
            ]  # fmt: skip
            assert old.exclusions() == []
        with store._database.reading() as connection:
            assert connection.scalar(sa.text("SELECT version FROM stabn_schema")) == VERSION

    def test_no_such_postgresql_database(self, postgresql):
        with pytest.raises(StoreError, match=r"nowhere.*no such database; make it"):
            Store(postgresql.format("nowhere"))

    def test_no_server(self, tmp_path):
        url = f"postgresql://user:secret@/edits?host={tmp_path}&password=secret"
        with pytest.raises(ConnectionLost, match="connection to the server is lost") as caught:
            Store(url)
        assert "secret" not in str(caught.value)
        assert "user" in str(caught.value)

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("mysql://user:secret@host/edits", r"mysql://user:\*\*\*@host/edits: give a SQLite"),
            ("://user:secret@host", "is none that a database has"),
            ("postgresql://user:secret@host:port/edits", "is none that a database has"),
            ("sqlite://", "in memory would be lost"),
            ("sqlite:///:memory:", "in memory would be lost"),
        ],
    )
    def test_no_address(self, url, said):
        with pytest.raises(StoreError, match=said) as caught:
            Store(url)
        assert "secret" not in str(caught.value)


class TestTrouble:
    """Whatever happens: an error that says so, and once it is over the same save succeeds."""

    def test_locked(self, tmp_path, make_edit):
        store = Store(tmp_path / "edits.sqlite", timeout=0.2)
        store.register([("a", 8)])
        other = sqlite3.connect(tmp_path / "edits.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConnectionLost, match=r"edits.sqlite: is locked by another program"):
            store.save(make_edit(), after=None)
        assert store.revisions() == []  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        assert store.save(make_edit(), after=None) == 1

    def test_somebody_in_front_stands_still(self, tmp_path, make_edit):
        store = Store(tmp_path / "edits.sqlite", timeout=0.2)
        store.register([("a", 8)])
        with store._database.writing(), pytest.raises(ConnectionLost, match="is locked by another"):
            Store(tmp_path / "edits.sqlite", timeout=0.2).save(make_edit(), after=None)
        assert store.save(make_edit(), after=None) == 1

    def test_locked_in_postgresql(self, postgresql_url, make_edit):
        store = Store(postgresql_url, timeout=0.2)
        store.register([("a", 8)])
        with psycopg.connect(postgresql_url) as other:
            other.execute("LOCK TABLE stabn_revisions")
            with pytest.raises(ConnectionLost, match="is locked by another program; try again"):
                store.save(make_edit(), after=None)
        assert store.save(make_edit(), after=None) == 1

    def test_connection_drops_in_the_middle_of_a_save(self, postgresql_url, make_edit, monkeypatch):
        store = Store(postgresql_url)
        store.register([("a", 8)])
        latest = revisions.latest

        def cut(connection: sa.Connection, *rest):
            pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            with psycopg.connect(postgresql_url) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
            return latest(connection, *rest)

        monkeypatch.setattr(revisions, "latest", cut)
        with pytest.raises(ConnectionLost, match="the connection to the server is lost"):
            store.save(make_edit(), after=None)
        monkeypatch.undo()
        assert store.revisions() == []
        assert store.save(make_edit(), after=None) == 1

    def test_the_file_is_deleted(self, tmp_path, make_edit):
        path = tmp_path / "edits.sqlite"
        store = Store(path)
        store.register([("a", 8)])
        path.unlink()
        for act in (lambda: store.save(make_edit(), after=None), store.revisions):
            with pytest.raises(StoreError, match=r"edits.sqlite: (is gone|.*must be there)"):
                act()
        assert not path.exists()  # no empty one in its place

    def test_the_file_is_deleted_in_the_middle_of_a_save(self, tmp_path, make_edit, monkeypatch):
        path = tmp_path / "edits.sqlite"
        store = Store(path)
        store.register([("a", 8)])
        latest = revisions.latest

        def delete(*arguments):
            path.unlink()
            return latest(*arguments)

        monkeypatch.setattr(revisions, "latest", delete)
        with pytest.raises(StoreError, match=r"edits.sqlite: (is gone|was deleted)"):
            store.save(make_edit(), after=None)

    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_read_only(self, make_edit, what):
        # Not in pytest's folder, into which only its owner may look.
        with tempfile.TemporaryDirectory() as name:
            folder, path = Path(name), Path(name) / "edits.sqlite"
            store = Store(path)
            store.register([("a", 8)])
            store.save(make_edit(), after=None)
            path.chmod(0o444)
            folder.chmod(0o777 if what == "file" else 0o555)
            with _nobody_special(), pytest.raises(StoreError, match=r"edits.sqlite: .*folder"):
                store.save(make_edit(seconds=1.0), after=1)
            if what == "file":
                with _nobody_special():
                    assert len(Store(path, create=False).revisions()) == 1
            folder.chmod(0o777)
            path.chmod(0o666)
            assert store.save(make_edit(seconds=1.0), after=1) == 2

    def test_read_only_in_postgresql(self, postgresql_url, make_edit):
        store = Store(postgresql_url)
        store.register([("a", 8)])
        setting = "ALTER DATABASE {} SET default_transaction_read_only = {}"
        database = sa.make_url(postgresql_url).database
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            other.execute(setting.format(database, "on"))
        with pytest.raises(StoreError, match="is read-only for you; ask for the right") as caught:
            store.save(make_edit(), after=None)
        assert not isinstance(caught.value, ConnectionLost)
        assert Store(postgresql_url, create=False).revisions() == []

    def test_a_full_disk(self, tmp_path, make_edit, monkeypatch):
        store = Store(tmp_path / "edits.sqlite")
        store.register([("a", 8)])
        open_file = store._database._file

        def small() -> sqlite3.Connection:
            connection = open_file()
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages}")
            return connection

        monkeypatch.setattr(store._database._engine.pool, "_creator", small)
        saved: list[int] = []

        def go_on() -> None:
            for _ in range(1000):
                saved.append(store.save(make_edit(), after=saved[-1] if saved else None))

        with pytest.raises(StoreError, match="the disk is full; free some space"):
            go_on()
        monkeypatch.undo()
        assert [revision.number for revision in store.revisions()] == saved
        saved.append(store.save(make_edit(), after=saved[-1] if saved else None))
        assert saved == list(range(1, len(saved) + 1))

    @pytest.mark.parametrize("levels", ["[0, 1", "[0.0, 2.0]", "null"])
    def test_a_damaged_row(self, store, make_edit, levels):
        store.save(make_edit(), after=None)
        with store._database._engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE stabn_revisions SET levels = :levels"), {"levels": levels}
            )
        with pytest.raises(StoreError, match=r"row 1 of stabn_revisions: .*go back to a backup"):
            store.revisions()

    def test_errors_of_the_caller_stay_what_they_are(self, store, make_edit):
        with pytest.raises(EditError):
            store.save(make_edit(annotator="\0"), after=None)


@contextmanager
def _nobody_special() -> Iterator[None]:
    """Permissions do not bind root: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)

"""The rules of annotating together, on a real SQLite store: nothing lost, nothing overwritten."""

from dataclasses import replace
from pathlib import Path

import pytest

from stabn.knowledge.app.session import RENEW, Session, SessionError, clean_name
from stabn.knowledge.app.work import PAUSE, WORTH
from stabn.knowledge.selection.queue import Queue, QueuedVideo
from stabn.knowledge.store.database import ConnectionLost, StoreError
from stabn.knowledge.store.store import Store

ATTENTION = (0.1, 0.2, 0.3, 0.4, 0.5)


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Flaky:
    """A store whose methods fail when the test says so, before or after they have done the work."""

    def __init__(self, store: Store):
        self._store = store
        self.before: dict[str, StoreError] = {}
        self.after: dict[str, StoreError] = {}
        self.calls: list[str] = []

    def __getattr__(self, name: str):
        def method(*arguments, **more):
            self.calls.append(name)
            if name in self.before:
                raise self.before[name]
            result = getattr(self._store, name)(*arguments, **more)
            if name in self.after:
                raise self.after.pop(name)
            return result

        return method


@pytest.fixture
def queue(make_queue) -> Queue:
    return make_queue(
        QueuedVideo(video_id, 0, 1, 0.2, ATTENTION, (0, 2), None) for video_id in "abcd"
    )


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "edits.sqlite"


@pytest.fixture
def store(path) -> Flaky:
    return Flaky(Store(path))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(store, queue, clock) -> Session:
    return Session(store, queue, "Ada", clock=clock)


def levels(session: Session) -> tuple[float, ...]:
    return tuple(session.draft.levels.tolist())


def visit(session: Session) -> str | None:
    """The id of the video at hand."""
    return session.current and session.current.video_id


class TestNames:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("Ada", "Ada"),
            ("  Ada \t Lovelace\n", "Ada Lovelace"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            ("e\u0301milie", "\u00e9milie"),  # two ways to write é are one name
            ("名前", "名前"),
            ("x" * 60, "x" * 60),
        ],
    )
    def test_are_trimmed_and_otherwise_kept(self, typed, kept):
        assert clean_name(typed) == kept

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("", "type a name"),
            (" \n ", "type a name"),
            ("x" * 61, "at most 60 characters, this one 61"),
            ("Ada\0", "invisible"),
            ("Ada\u202e", "invisible"),  # writes backwards what follows
            ("Ada\ud800", "invisible"),
        ],
    )
    def test_that_cannot_be_say_why(self, store, queue, typed, said):
        with pytest.raises(SessionError, match=said):
            Session(store, queue, typed)


class TestGoingThroughTheQueue:
    def test_begins_with_the_worst_and_the_networks_own_attention(self, session):
        assert visit(session) == "a"
        assert levels(session) == ATTENTION
        assert session.state == ("not changed yet; “Next video” says “nothing to correct”")
        assert str(session.position) == "1 of about 4"

    def test_leaving_a_video_untouched_says_that_its_attention_is_right(self, session, store):
        session.next()
        assert visit(session) == "b"
        assert str(session.position) == "2 of about 4"
        (revision,) = store.revisions()
        assert (revision.edit.video_id, revision.edit.verdict) == ("a", "nothing_to_correct")
        assert revision.edit.levels == ()
        session.previous()
        assert session.state == "saved as “nothing to correct”"

    def test_back_and_forth_shows_what_was_saved(self, session):
        session.draft.set(0, 1.0)
        session.save()
        session.next()
        session.draft.set(1, 0.0)
        session.save()
        session.previous()
        assert (visit(session), levels(session)[0]) == ("a", 1.0)
        session.next()
        assert (visit(session), levels(session)[1]) == ("b", 0.0)
        session.next()
        assert visit(session) == "c"

    def test_going_back_from_an_untouched_video_does_not_answer_it(self, session, store):
        session.next()
        session.previous()
        assert [revision.edit.video_id for revision in store.revisions()] == ["a"]
        session.next()
        assert visit(session) == "b"

    def test_one_may_go_to_any_video_one_came_to(self, session, store):
        session.draft.set(0, 1.0)
        session.save()
        session.next()
        session.skip()
        session.verdict("bad_video")
        assert visit(session) == "d"
        said = ["edited", "skipped", "bad video", "no answer yet"]
        assert [(b.place, b.video_id) for b in session.been] == list(enumerate("abcd", start=1))
        assert [b.said for b in session.been] == said
        revisions = store.revisions()
        for place, video_id in ((1, "a"), (4, "d"), (3, "c"), (2, "b")):
            session.go_to(place)
            assert (visit(session), session.position.place) == (video_id, place)
        assert store.revisions() == revisions  # to look is no answer
        assert [b.said for b in session.been] == said

    def test_a_list_of_them_is_there_when_one_comes_back(self, session, path, queue):
        session.next()
        session.next()
        session.previous()
        session.draft.undo()
        session.save()
        again = Session(Store(path), queue, "Ada")
        assert [(b.video_id, b.said) for b in again.been[:2]] == [
            ("a", "nothing to correct"),
            ("b", "no answer yet"),
        ]

    def test_there_is_nothing_before_the_first(self, session):
        with pytest.raises(SessionError, match="your first video"):
            session.previous()
        assert visit(session) == "a"

    def test_two_annotators_get_different_videos(self, session, store, queue):
        assert visit(Session(store, queue, "Bob")) == "b"

    def test_unless_overlap_is_asked_for(self, session, store, queue):
        assert visit(Session(store, queue, "Bob", overlap=2)) == "a"

    def test_a_skipped_video_comes_back_last(self, session, store):
        session.skip()
        visited = []
        while session.current and len(visited) < 9:
            visited.append(visit(session))
            session.next()
        assert visited == ["b", "c", "d", "a"]
        assert len(store.revisions()) == 4

    def test_a_skipped_video_that_is_only_looked_at_again_stays_skipped(self, session, store):
        session.skip()
        session.previous()
        assert visit(session) == "a"
        assert session.state.startswith("skipped; if not changed it stays so")
        session.next()
        assert visit(session) == "b"
        assert store.revisions() == []
        assert str(session.position) == "2 of about 4"
        for _ in "bcd":
            session.next()
        assert visit(session) == "a"  # it was promised to come again at the end
        assert session.state.startswith("not changed yet")

    def test_a_skipped_video_that_is_changed_is_an_edit(self, session, store):
        session.skip()
        session.previous()
        session.draft.set(0, 1.0)
        session.save()
        session.next()
        assert store.latest("a", "Ada").edit.levels == (1.0, *ATTENTION[1:])
        for _ in "bcd":
            session.next()
        assert session.current is None

    def test_a_skipped_video_can_be_had_by_others_though_one_went_back_to_it(
        self, session, store, queue
    ):
        session.next()
        session.skip()
        session.previous()
        assert visit(session) == "b"
        session.previous()
        assert visit(session) == "a"
        assert visit(Session(store, queue, "Bob")) == "b"

    def test_the_end_says_thank_you_and_leads_back(self, session):
        for _ in range(4):
            session.next()
        assert session.current is None
        assert session.draft is None
        assert "All done: 4 by you" in session.state
        assert session.save()
        session.tick()
        session.next()  # looking again finds nothing
        for step in (session.skip, lambda: session.verdict("bad_video")):
            with pytest.raises(SessionError, match="No video is open"):
                step()
        session.previous()
        assert visit(session) == "d"

    def test_what_others_leave_comes_free(self, store, queue):
        Session(store, queue, "Bob")
        ada = Session(store, queue, "Ada")
        for _ in range(3):
            ada.next()
        assert ada.current is None
        store.release("Bob", "a")
        ada.next()
        assert visit(ada) == "a"


class TestPlaceAndPlan:
    """How many videos are one's own, and which comes next as far as can be known."""

    def test_videos_that_others_do_are_not_ones_own(self, session, store, queue):
        other = Session(store, queue, "Bob")
        assert (session.position, other.position) == ((1, 4, 0), (1, 3, 0))
        other.next()
        assert visit(other) == "c"
        session.next()
        assert visit(session) == "d"
        assert session.position == (2, 2, 1)
        assert other.position == (2, 3, 1)

    def test_with_overlap_they_are(self, session, store, queue):
        session.next()
        assert Session(store, queue, "Bob", overlap=2).position == (1, 4, 0)

    def test_place_goes_back_with_the_annotator_and_what_is_done_stays(self, session):
        session.next()
        session.next()
        assert session.position == (3, 4, 2)
        session.previous()
        assert session.position == (2, 4, 2)

    def test_at_the_end_all_is_done(self, session):
        for _ in "abcd":
            session.next()
        assert session.position == (4, 4, 4)
        assert session.upcoming is None

    def test_what_was_done_before_counts_when_one_comes_back(self, session, path, queue):
        session.next()
        assert Session(Store(path), queue, "Ada").position == (2, 4, 1)

    def test_the_next_video_is_known_before_it_is_opened(self, session):
        for step in ("next", "skip", "previous", "next", "next", "next", "next"):
            expected = session.upcoming
            getattr(session, step)()
            if step == "next":
                assert session.current == expected
        assert session.current is None

    def test_a_store_that_cannot_say_how_much_is_left_stops_nobody(self, session, store):
        store.before["left"] = LOST
        session.next()
        assert visit(session) == "b"
        assert session.position == (2, 4, 1)


class TestUndo:
    def test_leads_back_to_what_was_left_with_its_strokes(self, session, store):
        session.draft.set(0, 1.0)
        session.save()
        session.next()
        assert session.left.said == "Saved."
        session.undo()
        assert (visit(session), levels(session)[0]) == ("a", 1.0)
        assert session.state == "saved"
        assert len(store.revisions()) == 1
        session.next()
        assert visit(session) == "b"

    @pytest.mark.parametrize("judge", [None, "cannot_tell", "bad_video"])
    def test_takes_back_the_verdict_that_leaving_gave(self, session, store, judge):
        session.verdict(judge) if judge else session.next()
        assert session.left.said.startswith("Saved as")
        session.undo()
        assert visit(session) == "a"
        assert session.state.startswith("not changed yet")
        assert session.position == (1, 4, 0)
        verdicts = [revision.edit.verdict for revision in store.revisions("a")]
        assert verdicts == [judge or "nothing_to_correct", "open"]

    def test_what_was_painted_before_a_verdict_stands_again(self, session, store):
        session.draft.set(0, 1.0)
        session.save()
        session.verdict("cannot_tell")
        session.undo()
        assert levels(session)[0] == 1.0
        assert store.latest("a", "Ada").edit.verdict == "edited"

    def test_to_go_elsewhere_waits_for_it_too(self, session, store):
        session.next()
        store.before["save"] = LOST
        session.draft.set(0, 1.0)
        session.save()
        with pytest.raises(SessionError, match="NOT SAVED"):
            session.go_to(1)
        assert visit(session) == "b"

    def test_a_verdict_of_an_earlier_visit_stays(self, session, store):
        session.verdict("cannot_tell")
        session.previous()
        session.next()
        session.undo()
        assert visit(session) == "a"
        assert store.latest("a", "Ada").edit.verdict == "cannot_tell"

    def test_a_skip_is_taken_back(self, session, store):
        session.skip()
        assert session.left.said.startswith("Skipped")
        session.undo()
        assert visit(session) == "a"
        assert session.state.startswith("not changed yet")
        session.next()
        assert [revision.edit.video_id for revision in store.revisions()] == ["a"]

    def test_there_is_nothing_to_undo_twice_or_before_a_video_was_left(self, session):
        with pytest.raises(SessionError, match="nothing to undo"):
            session.undo()
        session.next()
        session.undo()
        with pytest.raises(SessionError, match="nothing to undo"):
            session.undo()

    def test_from_the_end_too(self, session):
        for _ in "abcd":
            session.next()
        session.undo()
        assert visit(session) == "d"

    def test_waits_until_what_is_done_here_is_saved(self, session, store):
        session.next()
        store.before["save"] = LOST
        session.draft.set(0, 1.0)
        session.save()
        with pytest.raises(SessionError, match="NOT SAVED"):
            session.undo()
        assert visit(session) == "b"
        del store.before["save"]
        session.undo()
        assert visit(session) == "a"


class TestVerdicts:
    @pytest.mark.parametrize(
        ("verdict", "words"), [("cannot_tell", "cannot tell"), ("bad_video", "bad video")]
    )
    def test_are_kept_and_lead_on(self, session, store, verdict, words):
        session.verdict(verdict)
        assert visit(session) == "b"
        (revision,) = store.revisions()
        assert (revision.edit.verdict, revision.edit.levels) == (verdict, ())
        session.previous()
        assert session.state == f"saved as “{words}”"
        session.next()  # going on does not change it
        assert len(store.revisions(video_id="a")) == 1

    def test_can_be_taken_back_by_editing(self, session, store):
        session.verdict("cannot_tell")
        session.previous()
        session.draft.set(0, 1.0)
        assert session.save()
        assert store.latest("a", "Ada").edit.verdict == "edited"
        assert len(store.revisions(video_id="a")) == 2

    def test_nothing_to_correct_is_taken_back_by_undo(self, session, store, queue, path):
        session.next()
        session.previous()
        session.draft.undo()
        assert session.save()
        assert store.latest("a", "Ada").edit.content == ("open", ())
        assert store.edits() == []
        assert session.position == (1, 4, 0)
        assert session.state.startswith("not changed yet")
        session.skip()
        again = Session(Store(path), queue, "Ada")
        assert [visit(again), again.position.done] == ["b", 0]
        session.previous()
        session.draft.redo()
        session.save()
        assert [edit.verdict for edit in store.edits()] == ["nothing_to_correct"]

    def test_nothing_to_correct_of_another_network_says_nothing_of_this_one(
        self, session, store, queue
    ):
        session.next()
        other = Session(store, replace(queue, model="cd" * 32), "Ada")
        other.previous()
        assert (visit(other), other.draft.content) == ("a", ("open", ()))
        other.next()
        assert store.latest("a", "Ada").edit.model == "cd" * 32
        assert store.latest("a", "Ada").edit.verdict == "nothing_to_correct"


class TestSaving:
    def test_every_change_is_a_revision_with_its_provenance(self, session, store, queue):
        session.draft.paint(1, 2, 1.0)
        assert session.save()
        session.draft.undo()
        assert session.save()
        first, second = (revision.edit for revision in store.revisions())
        assert first.levels == (0.1, 1.0, 1.0, 0.4, 0.5)
        assert second.verdict == "open"
        assert (first.annotator, first.model, first.attention) == ("Ada", queue.model, ATTENTION)
        assert session.state.startswith("not changed yet")

    def test_strokes_within_a_second_are_one_revision(self, session, store, clock):
        """Of 156 keys, eight a second, one revision a second stays; each is on disk at once."""
        for key in range(156):
            session.draft.set(key % 5, (key + 1) / 156)
            assert session.save()
            assert store.latest("a", "Ada").edit.levels == levels(session)
            clock.now += 1 / 8
        assert len(store.revisions()) == 20
        assert store.latest("a", "Ada").number == 156

    def test_a_verdict_within_the_second_is_a_revision_of_its_own(self, session, store):
        session.draft.set(0, 1.0)
        session.save()
        session.draft.undo()
        session.save()
        session.draft.redo()
        session.save()
        session.verdict("cannot_tell")
        said = [revision.edit.verdict for revision in store.revisions()]
        assert said == ["edited", "open", "edited", "cannot_tell"]

    def test_undo_goes_on_after_coming_back(self, session, store, queue, clock):
        for frame in range(3):
            session.draft.set(frame, 1.0)
            session.save()
            clock.now += 5
        session.draft.undo()
        session.save()
        clock.now += 5
        session.next()
        again = Session(store, queue, "Ada")
        again.previous()
        assert levels(again) == (1.0, 1.0, *ATTENTION[2:])
        again.draft.redo()
        assert levels(again) == (1.0, 1.0, 1.0, *ATTENTION[3:])
        for frame in (2, 1, 0):
            assert again.draft.undo()
            assert levels(again) == ((1.0,) * frame + ATTENTION[frame:])
        assert not again.draft.can_undo

    def test_without_a_change_saves_nothing(self, session, store):
        assert session.save()
        session.draft.set(0, 1.0)
        session.save()
        assert session.save()
        assert len(store.revisions()) == 1

    def test_a_restart_in_mid_edit_comes_back_to_the_same_place(self, session, path, queue):
        session.next()
        session.draft.set(0, 1.0)
        session.save()
        again = Session(Store(path), queue, " Ada ")
        assert visit(again) == "b"
        assert levels(again) == (1.0, *ATTENTION[1:])
        again.previous()
        assert visit(again) == "a"
        again.next()
        again.next()
        assert visit(again) == "c"

    def test_an_edit_made_for_another_network_warns(self, session, store, queue):
        session.draft.set(0, 1.0)
        session.save()
        other = Session(store, replace(queue, model="cd" * 32), "Ada")
        assert levels(other)[0] == 1.0
        assert "made for another network" in other.state
        other.draft.set(1, 1.0)
        other.save()
        assert "another network" not in other.state
        assert store.latest("a", "Ada").edit.model == "cd" * 32


class TestTime:
    def test_a_video_is_timed_until_it_is_left_and_returns_add_up(self, session, store, clock):
        clock.now += 10
        session.draft.set(0, 1.0)
        session.save()
        clock.now += PAUSE - 1
        session.draft.set(0, 0.5)
        session.save()
        clock.now += PAUSE + 1000  # coffee: of a long gap, too, a minute may have been work
        session.draft.set(0, 0.0)
        session.save()
        clock.now += 7
        session.next()
        kept = [(r.edit.levels[0], r.edit.seconds) for r in store.revisions()]
        first, second = 10, 10 + PAUSE - 1
        third = second + PAUSE
        assert kept == [(1.0, first), (0.5, second), (0.0, third), (0.0, third + 7)]
        clock.now += 100
        session.previous()
        clock.now += 5
        session.draft.set(0, 1.0)
        session.save()
        assert store.latest("a", "Ada").edit.seconds == third + 7 + 5
        assert session.seconds == third + 7 + 5

    @pytest.mark.parametrize("leave", ["skip", "previous"])
    def test_time_without_an_answer_counts_with_the_answer(self, session, store, clock, leave):
        session.next()
        clock.now += 20
        getattr(session, leave)()
        assert store.revisions("b") == []
        while visit(session) != "b":
            session.next()
        clock.now += 3
        session.draft.set(0, 1.0)
        session.save()
        assert store.latest("b", "Ada").edit.seconds == 20 + 3

    @pytest.mark.parametrize("leave", ["next", "skip", "previous"])
    def test_all_ways_to_leave_keep_the_time(self, session, store, clock, leave):
        session.next()
        session.draft.set(0, 1.0)
        session.save()
        clock.now += 7
        getattr(session, leave)()
        assert visit(session) != "b"
        assert [r.edit.seconds for r in store.revisions("b")] == [0, 7]

    def test_a_moment_is_not_worth_a_revision(self, session, store, clock):
        session.draft.set(0, 1.0)
        session.save()
        clock.now += WORTH / 2
        session.next()
        assert len(store.revisions()) == 1

    def test_time_alone_is_no_answer(self, session, store, clock):
        clock.now += 7
        session.skip()
        clock.now += 7
        session.previous()
        clock.now += 7
        session.next()
        assert store.revisions() == []

    def test_looking_at_an_edit_for_another_network_leaves_it_that(
        self, session, store, queue, clock
    ):
        session.draft.set(0, 1.0)
        session.save()
        other = Session(store, replace(queue, model="cd" * 32), "Ada", clock=clock)
        assert visit(other) == "a"
        clock.now += 7
        other.next()
        (revision,) = store.revisions("a")
        assert revision.edit.model == queue.model

    def test_a_lease_is_renewed_while_somebody_works_and_only_then(self, session, store, clock):
        clock.now += RENEW + 1
        session.tick()
        assert "renew" not in store.calls
        session.save()
        session.tick()
        session.tick()
        assert store.calls.count("renew") == 1


LOST = ConnectionLost("postgresql://…: the connection was lost")


class TestAStoreThatFails:
    def test_the_edit_is_kept_and_saved_later(self, session, store, caplog):
        store.before["save"] = LOST
        session.draft.set(0, 1.0)
        assert not session.save()
        assert session.unsaved
        assert session.state.startswith("NOT SAVED yet")
        assert "kept in this page" in session.state
        assert "tried again" in session.state
        assert "postgresql" not in session.state  # which is no business of an annotator
        session.draft.set(1, 1.0)
        assert not session.save()
        for step in (session.next, session.skip):
            with pytest.raises(SessionError, match="NOT SAVED"):
                step()
        assert visit(session) == "a"
        session.tick()
        assert session.unsaved
        assert (
            caplog.text.count("the connection was lost") == 1
        )  # the log has what the page has not
        del store.before["save"]
        session.tick()
        assert not session.unsaved
        assert store.latest("a", "Ada").edit.levels == (1.0, 1.0, *ATTENTION[2:])
        session.next()
        assert visit(session) == "b"

    def test_each_change_does_not_wait_for_a_lost_store_again(self, session, store):
        store.before["save"] = LOST
        for frame in range(4):
            session.draft.set(frame, 1.0)
            session.save()
        assert store.calls.count("save") == 1

    def test_time_is_not_worked_by_retrying(self, session, store, clock):
        store.before["save"] = LOST
        session.draft.set(0, 1.0)
        session.save()
        clock.now += 30
        assert not session.retry()
        assert session.seconds == 0

    def test_a_connection_that_drops_after_the_commit_is_no_conflict(self, session, store):
        store.after["save"] = LOST
        session.draft.set(0, 1.0)
        assert not session.save()
        assert session.retry()
        assert session.conflict is None
        assert len(store.revisions()) == 1
        assert session.state == "saved"

    def test_nor_when_the_edit_went_on_meanwhile(self, session, store):
        store.after["save"] = LOST
        session.draft.set(0, 1.0)
        session.save()
        store.before["save"] = LOST
        session.retry()
        session.draft.set(1, 1.0)
        session.save()
        del store.before["save"]
        assert session.retry()
        assert [r.edit.levels[:2] for r in store.revisions()] == [(1.0, 0.2), (1.0, 1.0)]

    def test_a_verdict_is_kept_too(self, session, store):
        store.before["save"] = LOST
        with pytest.raises(SessionError, match="NOT SAVED"):
            session.verdict("bad_video")
        del store.before["save"]
        session.tick()
        assert store.latest("a", "Ada").edit.verdict == "bad_video"
        session.next()
        assert visit(session) == "b"

    def test_what_waiting_does_not_mend_is_for_the_organiser(self, session, store):
        store.before["save"] = StoreError("/home/me/edits.sqlite: is read-only; make it writable")
        session.draft.set(0, 1.0)
        assert not session.save()
        assert "tell the organiser" in session.state
        assert "NOT SAVED: edits.sqlite: is read-only; make it writable." in session.state

    @pytest.mark.parametrize("name", ["release", "lease", "revisions"])
    def test_a_video_stays_open_until_the_next_is_known(self, session, store, name):
        session.draft.set(0, 1.0)
        session.save()
        store.before[name] = LOST
        with pytest.raises(ConnectionLost):
            session.next()
        assert (visit(session), levels(session)[0]) == ("a", 1.0)
        store.before.clear()
        session.next()
        assert visit(session) == "b"


class TestTwoTabs:
    @pytest.fixture
    def other(self, session, store, queue) -> Session:
        """Another tab of the same annotator, which has saved something."""
        other = Session(store, queue, "Ada")
        assert visit(other) == visit(session) == "a"
        other.draft.set(4, 0.0)
        assert other.save()
        return other

    def test_nothing_is_overwritten_and_the_annotator_is_told(self, session, other, store):
        session.draft.set(0, 1.0)
        assert not session.save()
        assert session.unsaved
        assert session.conflict == store.latest("a", "Ada").edit
        assert "another tab saved this video" in session.state
        assert [r.edit.levels[4] for r in store.revisions()] == [0.0]
        session.draft.set(1, 1.0)
        assert not session.save()
        with pytest.raises(SessionError, match="another tab"):
            session.next()

    def test_take_theirs(self, session, other, store):
        session.draft.set(0, 1.0)
        session.save()
        session.take_theirs()
        assert levels(session) == (*ATTENTION[:4], 0.0)
        assert not session.unsaved
        assert len(store.revisions()) == 1
        session.draft.set(0, 1.0)
        assert session.save()
        assert store.latest("a", "Ada").edit.levels == (1.0, *ATTENTION[1:4], 0.0)

    def test_keep_mine_is_a_further_revision(self, session, other, store):
        session.draft.set(0, 1.0)
        session.save()
        assert session.keep_mine()
        assert not session.unsaved
        assert [r.edit.levels for r in store.revisions()] == [
            (*ATTENTION[:4], 0.0),
            (1.0, *ATTENTION[1:]),
        ]

    def test_time_alone_is_no_conflict(self, session, store, queue, clock):
        session.draft.set(0, 1.0)
        session.save()
        other = Session(store, queue, "Ada", clock=clock)
        assert visit(other) == "a"
        other.draft.set(4, 0.0)
        other.save()
        clock.now += 7
        session.next()
        assert session.conflict is None
        assert store.latest("a", "Ada").edit.levels == (1.0, *ATTENTION[1:4], 0.0)

    def test_the_other_tab_is_told_in_turn(self, session, other):
        session.draft.set(0, 1.0)
        session.save()
        session.keep_mine()
        other.draft.set(0, 0.5)
        assert not other.save()
        assert other.conflict is not None

"""What annotators are told: no path or address of the server, times for their own zone."""

from datetime import UTC, datetime

import pytest

from stabn.knowledge.app.parts import text
from stabn.knowledge.app.telling import without_folders
from stabn.knowledge.app.times import stamp


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/home/me/runs/edits.sqlite: is locked", "edits.sqlite: is locked"),
        ("postgresql://me@db.example.org/edits: lost", "edits: lost"),
        ("data/mini/videos/7.webm: is damaged (a/b)", "7.webm: is damaged (b)"),
        ("nothing to hide: 3 of 4", "nothing to hide: 3 of 4"),
    ],
)
def test_without_folders(message, told):
    assert without_folders(message) == told


def test_a_time_is_marked_for_the_page_and_reads_as_utc_without_it():
    moment = datetime(2024, 5, 17, 9, 30, 7, tzinfo=UTC)
    shown = text(f"saved <b> at {stamp(moment)}").value
    assert "saved &lt;b&gt; at <time datetime='2024-05-17T09:30:07Z'>09:30 UTC</time>" in shown

"""How far everybody is, how far they agree, and who takes care: tables as HTML, texts escaped."""

import html
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from stabn.knowledge.edits.agreement import agreement_table, alpha
from stabn.knowledge.edits.care import EXPLAINED
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.selection.queue import Queue
from stabn.knowledge.store.exclusions import Exclusion
from stabn.words import counted

STYLE = """<style>
.stabn-report { overflow-x: auto; }
.stabn-report th, .stabn-report td { text-align: left; padding: .1em 1.2em .1em 0; }
.stabn-report td { overflow-wrap: break-word; max-width: 30em; }
.stabn-report th { border-bottom: 1px solid currentColor; }
</style>"""
VERDICTS = {
    "edited": "edited",
    "nothing_to_correct": "nothing to correct",
    "cannot_tell": "cannot tell",
    "bad_video": "bad video",
}
CARE = """Before you blame anybody: a sign is a reason to look, and no proof. The network may have
been right in the videos somebody got, quick hands exist, and where two people differ the other one
may be wrong. Few videos say little. Open some of their videos below first, and ask."""


def progress_report(
    queue: Queue, edits: Sequence[Edit], progress: pd.DataFrame, aside: Sequence[Edit] = ()
) -> str:
    """How much is done by whom, and how far they agree.

    Args:
        queue: what is worked through.
        edits: everybody's word on each video.
        progress: as :meth:`stabn.knowledge.store.store.Store.progress` gives it.
        aside: what is set aside, and counts in nothing here.
    """
    value = alpha(edits)
    other = sum(edit.model != queue.model for edit in edits)
    sentences = [
        f"{len({e.video_id for e in edits})} of {len(queue.videos)} videos are done by somebody: "
        f"{counted(len(edits), 'answer')} by {counted(len(names(edits)), 'annotator')}."
    ]
    if aside:
        sentences.append(f"{len(aside)} more set aside ({', '.join(names(aside))}).")
    sentences.append(
        "Agreement cannot be computed yet: it needs videos of which two people edited the levels. "
        "Serve the pages with --overlap 2, which gives each video to two people, or name some "
        "videos gold: these are given to everybody."
        if math.isnan(value)
        else f"Krippendorff's α over frames is {value:.2f} (1 is full agreement, 0 is chance)."
    )
    if other:
        sentences.append(
            f"Made for another network: {counted(other, 'answer')}. Their levels stand; the "
            "attention that was shown beside them was another."
        )
    parts = [
        f"<p>{html.escape(' '.join(sentences))}</p>",
        titled("By class", by_class(queue, edits, progress)),
        titled("By annotator", by_annotator(edits)),
        titled("Agreement by pair", agreement_table(edits)),
        titled("Videos that cannot be judged", not_judged(edits)),
    ]
    return STYLE + "".join(parts)


def care_report(table: pd.DataFrame, by: str) -> str:
    """The signs of :func:`stabn.knowledge.edits.care.signs`, the largest of one first."""
    rising = by == "annotator"
    table = table.sort_values(by, ascending=rising, na_position="last", kind="stable")
    for share in ("unchanged", "fast"):
        table[share] = ["–" if math.isnan(value) else f"{value:.0%}" for value in table[share]]
    legend = "; ".join(f"<b>{name}</b>: {words}" for name, words in EXPLAINED.items())
    return f"{shown(table, EXPLAINED)}<p>{legend}.</p>"


def decisions_report(decisions: Sequence[Exclusion]) -> str:
    """Who was set aside or heard again, by whom and why, the latest first."""
    rows = [
        {
            "annotator": one.annotator,
            "video": one.video_id or "all",
            "decision": "set aside" if one.excluded else "heard again",
            "by": one.who,
            "because": one.why,
            "when (UTC)": f"{one.made:%Y-%m-%d %H:%M}",
        }
        for one in reversed(decisions)
    ]
    return shown(pd.DataFrame(rows))


def by_class(queue: Queue, edits: Sequence[Edit], progress: pd.DataFrame) -> pd.DataFrame:
    """One row a class: its queued videos, and how many have which verdict, or are worked on."""
    label = {video.video_id: queue.classes[video.label] for video in queue.videos}
    leased = set(progress.loc[progress["leased_by"].astype(bool), "video_id"])
    rows = []
    for text in dict.fromkeys(label.values()):
        videos = {video_id for video_id, own in label.items() if own == text}
        by = {
            verdict: {e.video_id for e in edits if e.verdict == verdict} & videos
            for verdict in VERDICTS
        }
        done = set().union(*by.values())
        rows.append(
            {
                "class": text,
                "videos": len(videos),
                **{name: len(by[verdict]) for verdict, name in VERDICTS.items()},
                "left": len(videos - done),
                "open now": len(videos & leased),
            }
        )
    return pd.DataFrame(rows)


def by_annotator(edits: Sequence[Edit]) -> pd.DataFrame:
    """One row an annotator: what they did, minutes in all, median seconds a video, last seen."""
    rows = []
    for name in names(edits):
        own = [edit for edit in edits if edit.annotator == name]
        seconds = pd.Series([edit.seconds for edit in own])
        rows.append(
            {
                "annotator": name,
                **{
                    text: sum(edit.verdict == verdict for edit in own)
                    for verdict, text in VERDICTS.items()
                },
                "minutes": seconds.sum() / 60,
                "median s a video": seconds.median(),
                "last (UTC)": f"{max(edit.made for edit in own):%Y-%m-%d %H:%M}",
            }
        )
    return pd.DataFrame(rows)


def not_judged(edits: Sequence[Edit]) -> pd.DataFrame:
    """One row an edit that says "cannot tell" or "bad video"."""
    rows = [
        {"video": e.video_id, "verdict": VERDICTS[e.verdict], "annotator": e.annotator}
        for e in edits
        if e.verdict in ("cannot_tell", "bad_video")
    ]
    return pd.DataFrame(rows)


def titled(title: str, table: pd.DataFrame) -> str:
    """A heading and a table."""
    return f"<h2>{html.escape(title)}</h2>{shown(table)}"


def names(edits: Sequence[Edit]) -> list[str]:
    """Whose edits these are, in alphabetical order."""
    return sorted({edit.annotator for edit in edits})


def shown(table: pd.DataFrame, explained: Mapping[str, str] | None = None) -> str:
    """A table as HTML, its texts escaped; headings say what is ``explained`` of them."""
    if not len(table):
        return "<p>none yet</p>"
    look = {"escape": True, "index": False, "border": 0, "na_rep": "–"}
    rows = table.to_html(float_format="{:.2f}".format, **look)
    for name, words in (explained or {}).items():
        rows = rows.replace(f"<th>{name}</th>", f"<th title='{html.escape(words)}'>{name}</th>")
    return f"<div class='stabn-report'>{rows}</div>"

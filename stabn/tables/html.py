"""HTML of the tables: cells that link to their records, dashes that name their remedy.

HTML and not Markdown, because the links must stay as they are: they lead to the same files in
JupyterLab and in the built book.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from stabn.tables.comparison import POINTS, Tested, Unit, mean_sd, p_words
from stabn.tables.runs import Kept

DASH = "–"
SEEDS = "Small: the seeds that were run, each with its record."
MISSING = "No record yet: `make study` makes them."  # in Markdown
NOTHING = f"<p>{DASH} No record yet: <code>make study</code> makes them.</p>"


def link(address: str, text: str, title: str = "") -> str:
    """A text that leads to a record; the title is shown where the pointer rests."""
    title = f' title="{escape(title)}"' if title else ""
    return f'<a href="{escape(address)}"{title}>{text}</a>'


def linked(runs: Sequence[Kept], values: Sequence[float], digits: int, *, gap: str = DASH) -> str:
    """Mean ± sd, then each seed, a link to its record; one run is its own link, none is the gap."""
    if not runs:
        return gap
    if len(runs) == 1:
        return link(runs[0].link, fixed(values[0], digits))
    links = " ".join(
        link(run.link, str(run.seed), f"seed {run.seed}: {fixed(value, digits)}")
        for run, value in zip(runs, values, strict=True)
    )
    return f"{spread(values, digits)}<br><small>{links}</small>"


def spread(values: Iterable[float], digits: int) -> str:
    """Mean ± sd; of one value, the value."""
    summary = mean_sd(values)
    sd = f" ± {fixed(summary.sd, digits)}" if summary.n > 1 else ""
    return f"{fixed(summary.mean, digits)}{sd}"


def fixed(value: float, digits: int, *, signed: bool = False) -> str:
    """With so many decimals, and a minus sign that is one; never −0. Signed: with a + as well."""
    return f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int
) -> str:
    """A table with its caption, which explains what :func:`linked` put into the cells.

    Cells are HTML already, headings are text.
    """
    rows = [list(row) for row in rows]
    if any('title="seed ' in content for row in rows for content in row):
        caption += f". {SEEDS}"

    def cell(tag: str, place: int, content: str) -> str:
        side = "left" if place < text_columns else "right"
        wrap = "; white-space: nowrap" if tag == "td" and place >= text_columns else ""
        return f'<{tag} style="text-align: {side}{wrap}">{content}</{tag}>'

    lines = [f'<table class="results table"><caption>{caption}</caption>', "<thead><tr>"]
    lines += [cell("th", i, escape(name)) for i, name in enumerate(head)]
    lines += ["</tr></thead>", "<tbody>"]
    for row in rows:
        lines.append("<tr>" + "".join(cell("td", i, c) for i, c in enumerate(row)) + "</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def remedies(gaps: Sequence[str], command: str) -> str:
    """What would fill the dashes, numbered as they are."""
    if not gaps:
        return ""
    items = "".join(f"<li><code>{escape(gap)}</code></li>" for gap in gaps)
    named = any(gap.startswith("NAME=") for gap in gaps)
    then = f"<p>and for a NAME: <code>{escape(command)}</code></p>" if named else ""
    return f"\n<p>What would fill the dashes:</p>\n<ol>{items}</ol>\n{then}"


def differences_table(
    caption: str,
    what: str,
    tested: Iterable[Tested],
    names: Mapping[str, str],
    unit: Unit = POINTS,
) -> str:
    """Paired tests as rows; ``names`` are the arms', as they are shown."""
    digits = unit.digits
    rows = [
        [
            f"{escape(names[a])} − {escape(names[b])}",
            f"{fixed(test.difference, digits, signed=True)} ± {test.sd:.{digits}f}",
            str(test.n),
            fixed(test.t, 2),
            p_words(test.p).removeprefix("= "),
            p_words(corrected).removeprefix("= "),
        ]
        for a, b, test, corrected in tested
    ]
    if not rows:
        return f"<p>{DASH} No two seeds are on record: <code>make study</code> runs them.</p>"
    difference = "difference ± sd" + (f", {unit.word}" if unit.word else "")
    head = [what, difference, "n", "t", "p", "p, Holm"]
    return table(caption, head, rows, text_columns=1)

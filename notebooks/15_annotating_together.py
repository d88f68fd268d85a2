# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 15. Annotating together
#
# *Hardware: any laptop, two CPU cores, about 15 seconds.*
#
# **The question.** Seventy-four people edited 2,396 videos for the paper. Can dozens of people work on
# hundreds of videos without losing or overwriting each other's work? And do they agree?
#
# **Nobody annotated anything for this chapter.** Its annotators are programs with habits, and are
# called simulated. What is kept, refused and measured about them would be the same for people.

# %% tags=["hide-input"]
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stabn.data.mini.make import SIZES, example
from stabn.figures import describe_levels, levels_figure
from stabn.knowledge.edits.agreement import agreement_table, alpha, consensus
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import read_json, read_npy, write_json, write_npy
from stabn.knowledge.store.revisions import Conflict
from stabn.knowledge.store.store import LEASE, Store

scratch = tempfile.TemporaryDirectory()  # goes with the kernel
folder = Path(scratch.name)

# %% [markdown]
# ## A promise
#
# "Manually modify the temporal attentions", says the paper's section 3.2.1, and no more. Seventy-four
# people need a place where edits are kept. It must promise three things: what it calls saved *is*
# saved; nothing is ever overwritten; no two people are handed the same video unless that is wanted.
#
# Two rules keep the first two promises. This small store only *adds* rows to a table, and a key allows
# each number once for each annotator's video. Whoever saves says which revision theirs follows. SQLite
# does the rest: when the transaction ends, the row is on disk.


# %%
class TinyStore:
    """Revisions of edits in one file: rows are added, never changed."""

    def __init__(self, path: Path):
        self.path = path
        self.do(
            "CREATE TABLE revisions (video TEXT, annotator TEXT, number INTEGER, levels TEXT,"
            " PRIMARY KEY (video, annotator, number))"
        )

    def do(self, statement: str, values: tuple = ()) -> list:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def save(self, video: str, annotator: str, levels: list, after: int) -> int:
        """Add the revision that follows number ``after``; returns its number once it is on disk."""
        row = (video, annotator, after + 1, json.dumps(levels))
        self.do("INSERT INTO revisions VALUES (?, ?, ?, ?)", row)
        return after + 1

    def all(self, video: str, annotator: str) -> list:
        asked = "SELECT levels FROM revisions WHERE video = ? AND annotator = ? ORDER BY number"
        return [json.loads(levels) for (levels,) in self.do(asked, (video, annotator))]


# %% [markdown]
# Somebody has the same video open in two tabs. Both begin after revision 1. The first tab saves
# revision 2; then the second tab wants to save a revision 2 as well, and the key refuses.

# %%
tiny = TinyStore(folder / "tiny.sqlite")
first = tiny.save("7", "simulated", [0, 0, 1, 1], after=0)
tiny.save("7", "simulated", [0, 1, 1, 1], after=first)  # one tab
try:
    tiny.save("7", "simulated", [0, 0, 0, 1], after=first)  # the other
except sqlite3.IntegrityError as refused:
    print("refused:", refused)
print("kept:", *tiny.all("7", "simulated"))

# %% [markdown]
# The library's `Store` keeps the same promise for whole edits, with their provenance, with one exception
# to "only adds": strokes of one annotator on one video within one second are one revision, whose row the
# later stroke replaces. (A minute at the keys would else be hundreds of rows. The number grows with each
# stroke, so the other tab notices all the same.) Its refusal is a `Conflict`, which holds what the other
# tab saved, so that a person can choose. To keep one's own is to save it as a *further* revision.


# %%
def edit_of(video_id: str, levels, annotator: str, verdict: str = "edited") -> Edit:
    """An edit; no network took part, so model and attention are made up."""
    return Edit(
        video_id=video_id,
        verdict=verdict,
        levels=tuple(map(float, levels)) if verdict == "edited" else (),
        annotator=annotator,
        model="15" * 32,
        attention=(0.5,) * len(levels),
        made=datetime.now(UTC),
        seconds=40.0,
    )


store = Store(folder / "tabs.sqlite")
store.register([("7", 4)])  # which videos there are, and how many frames each has
first = store.save(edit_of("7", [0, 0, 1, 1], "simulated"), after=None)
store.save(edit_of("7", [0, 1, 1, 1], "simulated"), after=first)
mine = edit_of("7", [0, 0, 0, 1], "simulated")
try:
    store.save(mine, after=first)
except Conflict as conflict:
    print("refused; the store holds", conflict.theirs.levels)
assert [list(r.edit.levels) for r in store.revisions("7")] == tiny.all("7", "simulated")
print("mine, kept as a further one: revision", store.save(mine, after=first + 1))
for revision in store.revisions("7"):
    print(revision.number, revision.edit.levels)

# %% [markdown]
# ## Who works on what
#
# A video is *leased* to one person for a while: in that time nobody else is given it. Work on it makes
# the lease longer. A lease is a courtesy, not a lock. If the person stops working, it ends, and the
# video goes to somebody else. What the first person saves later is kept all the same.
#
# We give the store a clock of our own, to make that while pass.

# %%
now = [0.0]  # seconds
store = Store(folder / "leases.sqlite", clock=lambda: now[0])
store.register([(f"video {i}", 4) for i in range(6)])
people = [f"simulated {letter}" for letter in "ABCD"]
handed = {who: store.lease(who) for who in people}
print(handed)
assert len(set(handed.values())) == len(people)  # no two get the same
assert store.lease("simulated A") == handed["simulated A"]  # asking again changes nothing

for who in people[1:]:  # all but A save, and go on
    store.save(edit_of(handed[who], [0, 1, 1, 0], who), after=None)
    store.release(who, handed[who])
now[0] += LEASE + 1
taken = store.lease("simulated E")
print(f"{LEASE / 60:.0f} minutes later E is handed {taken}")
assert taken == handed["simulated A"]
late = store.save(edit_of(taken, [0, 0, 1, 1], "simulated A"), after=None)
print("A comes back and saves revision", late, "of it; both will be kept")
store.progress()

# %% [markdown]
# To know whether people agree, some videos must go to several of them: that is `overlap`.

# %%
store = Store(folder / "overlap.sqlite")
store.register([(f"video {i}", 4) for i in range(2)])
for who in people:
    print(who, "is handed", store.lease(who, overlap=2))

# %% [markdown]
# ## Saving at once, and being killed
#
# Promises are easily kept by one process. Here are four, each a Python of its own, which save into
# one file at the same time. A process says a revision's number only after `save` has returned. The
# last one would save for ever, so we kill it in the middle (SIGKILL, which no program can catch).

# %%
SAVER = """
import sys
from datetime import UTC, datetime
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.store.store import Store

path, annotator, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store(path)
for n in range(count):
    made = datetime.now(UTC)
    edit = Edit("shared", "edited", (n / count,), annotator, "15" * 32, (0.5,), made, 0.0)
    print(store.save(edit, after=n or None), flush=True)
"""
together = folder / "together.sqlite"
store = Store(together)
store.register([("shared", 1)])
counts = {"simulated A": 30, "simulated B": 30, "simulated C": 30, "simulated K": 10**6}
running = {
    who: subprocess.Popen(
        [sys.executable, "-c", SAVER, together, who, str(n)], stdout=subprocess.PIPE, text=True
    )
    for who, n in counts.items()
}

# %%
victim = running["simulated K"]
said = {who: [] for who in counts}
said["simulated K"] = [int(victim.stdout.readline()) for _ in range(20)]
victim.kill()
for who, process in running.items():
    rest, _ = process.communicate()
    said[who] += [int(number) for number in rest.split()]
for who, numbers in said.items():
    kept = [r.number for r in store.revisions("shared", who)]
    print(f"{who}: {len(numbers)} called saved, {len(kept)} in the store", end="")
    print(" (killed)" if who == "simulated K" else "")
    assert kept[: len(numbers)] == numbers == list(range(1, len(numbers) + 1))
    assert len(kept) - len(numbers) <= (1 if who == "simulated K" else 0)
print("every revision that was called saved is there")

# %% [markdown]
# The killed one may have one revision more in the store than it told of. That does no harm: what is said to
# be saved is saved, and a little more may be.
#
# ## Three simulated annotators
#
# Twelve synthetic clips, whose truth we know. Three programs give each frame a level, by three habits.

# %%
templates = SIZES["mini"].templates
truth = {f"{k:02d}": example(k, seed=(15, k)).levels for k in range(12)}  # video id → (n,)


def careful(levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The truth, up to a frame early or late."""
    n = len(levels)
    return levels[np.clip(np.arange(n) + rng.integers(-1, 2), 0, n - 1)]


def generous(levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whatever has to do with it is the action: context too."""
    return (levels > 0).astype(float)


def careless(levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A third of the video, anywhere."""
    n = len(levels)
    start = rng.integers(n - n // 3 + 1)
    return ((np.arange(n) >= start) & (np.arange(n) < start + n // 3)).astype(float)


print({video_id: len(levels) for video_id, levels in truth.items()}, "frames")

# %%
store = Store(folder / "edits.sqlite")
store.register((video_id, len(levels)) for video_id, levels in truth.items())
habits: dict[str, Callable] = {f.__name__: f for f in (careful, generous, careless)}
rng = np.random.default_rng(15)
for who, habit in habits.items():
    while (video_id := store.lease(who, overlap=len(habits))) is not None:
        store.save(edit_of(video_id, habit(truth[video_id], rng), who), after=None)
        store.release(who, video_id)
edits = store.edits()  # the latest revision of each annotator's video
print(len(edits), "edits of", len(truth), "videos by", len(habits), "simulated annotators")
assert len(edits) == len(truth) * len(habits)
store.progress().head(3)

# %% [markdown]
# ## Do they agree?
#
# Two people who say "irrelevant" everywhere agree in every frame, and have told us nothing. So
# agreement is measured against what chance would give. **Krippendorff's alpha** compares the
# *observed* disagreement $D_o$, between levels of the same frame, with the *expected* one, $D_e$,
# between any two of all levels that were given:
#
# $$ \alpha = 1 - \frac{D_o}{D_e}. $$
#
# 1 is full agreement, 0 is what chance gives, and below 0 people contradict each other. Levels are
# numbers, so disagreement is the squared difference.
#
# By hand: three frames, one person says 0, 0.5, 1 and the other 0, 1, 1. Six values. They differ in
# the second frame only, by $0.5$. Each pair counts in both directions: $D_o = (0.25 + 0.25) / 6 =
# 1/12$. Among all six values there are $6 \cdot 5 = 30$ ordered pairs, and the squared differences add
# up to $2\,(6 \cdot 3.25 - 3.5^2) = 14.5$ (six times the sum of squares, less the square of the sum).
# So $D_e = 14.5 / 30$ and $\alpha = 1 - \frac{1/12}{14.5/30} = 1 - \frac{2.5}{14.5}$.


# %%
def open_alpha(frames: list[list[float]]) -> float:
    """The levels that each frame was given, two or more → Krippendorff's alpha (interval)."""
    values = np.concatenate(frames)
    n = len(values)
    observed = 0.0
    for given in map(np.array, frames):
        differences = (given[:, None] - given[None, :]) ** 2  # every pair, in both directions
        observed += differences.sum() / (len(given) - 1) / n
    expected = 2 * (n * (values**2).sum() - values.sum() ** 2) / (n * (n - 1))
    return 1 - observed / expected


by_hand = 1 - 2.5 / 14.5
print(f"by hand {by_hand:.4f}, in code {open_alpha([[0, 0], [0.5, 1], [1, 1]]):.4f}", end="")
small = [edit_of("3", [0, 0.5, 1], "one"), edit_of("3", [0, 1, 1], "two")]
print(f", library {alpha(small):.4f}")
np.testing.assert_allclose([open_alpha([[0, 0], [0.5, 1], [1, 1]]), alpha(small)], by_hand)

# %% [markdown]
# Over all videos the frames are simply more. The library must agree with the open version, and the
# two ends of the scale must be where they belong.

# %%
given = {(e.video_id, e.annotator): np.array(e.levels) for e in edits}  # (n,) each
of_video = {v: np.stack([given[v, who] for who in habits]) for v in truth}  # (3, n)
print("levels of the first video", of_video["00"].shape)
every_frame = [list(column) for rows in of_video.values() for column in rows.T]
np.testing.assert_allclose(alpha(edits), open_alpha(every_frame))

twice = [edit_of(v, levels, who) for v, levels in truth.items() for who in ("one", "two")]
assert np.isclose(alpha(twice), 1)
pooled = np.concatenate(list(truth.values()))
shuffled = [
    open_alpha([list(pair) for pair in zip(pooled, rng.permutation(pooled), strict=True)])
    for _ in range(50)
]
assert abs(np.mean(shuffled)) < 0.02
print(f"α of the same levels twice {alpha(twice):.2f}; ", end="")
print(f"of levels and the same ones shuffled {np.mean(shuffled):.2f} ± {np.std(shuffled):.2f}")
print(f"α of the three simulated annotators {alpha(edits):.2f}")

# %% [markdown]
# One number hides who disagrees with whom. The table by pairs does not.

# %%
agreement_table(edits).round(2)

# %%
without = {who: alpha([e for e in edits if e.annotator != who]) for who in habits}
for who, value in without.items():
    print(f"α without {who}: {value:.2f}")
odd = max(without, key=without.get)
print("the others agree best without", odd)
assert odd == "careless"

# %% [markdown]
# So an organiser finds an annotator who did not look. And which $\alpha$ is enough? By custom
# (Krippendorff's own):
#
# - **0.8 or more:** train with the consensus;
# - **0.67 to 0.8:** look at the videos where people differ most, make the guidelines clearer, and call
#   conclusions tentative;
# - **below 0.67:** do not train yet. If one annotator stands out, as here, set them aside (below).
#   If nobody does, the guidelines do not say what is meant: mend them and have a few videos done again.
#
# To set somebody aside removes nothing. Who decided it, when and why is kept beside the edits, and so is
# the word that takes it back. From then on the store gives the others' edits alone, to the organiser's
# page, to an export, to training.

# %%
store.exclude("careless", who="the organiser", why="agrees with nobody")
for one in store.exclusions():
    print(f"{one.about}: set aside by {one.who}, because: {one.why}")
assert store.edits() == [e for e in edits if e.annotator != "careless"]
print(f"α {alpha(store.edits()):.2f}; {len(store.excluded())} edits are set aside, none is gone")
store.readmit("careless", who="the organiser", why="to see below what the median makes of it")
assert store.edits() == edits

# %% [markdown]
# `stabn exclude STORE --annotator NAME --because TEXT` does the same from the command line.
#
# What alpha does *not* find is a mistake that people share: two *generous* ones agree perfectly, and both
# miss every 0.5. Agreement is not truth. So the annotators' page has a clip to practise on, whose truth is
# known.
#
# ## What they say together
#
# Fine-tuning needs one level a frame. It takes the **median** over annotators: one careless person
# among three cannot move it beyond what one of the other two said. A video that most call "cannot
# tell" or "bad video" is left out. "Nothing to correct" gives no levels, so it does not pull the median to
# the network's own, and a video of which nobody says more is not learned from. Here the truth is known,
# so we can ask how far from it each of them is, and the consensus.

# %%
agreed = consensus(edits)  # {video id: float32 (n,)}
for video_id, rows in of_video.items():
    np.testing.assert_array_equal(agreed[video_id], np.median(rows, axis=0))


def from_truth(levels_of: Callable[[str], np.ndarray]) -> float:
    """Mean absolute difference from the truth, over all frames of all videos."""
    return np.concatenate([np.abs(levels_of(v) - truth[v]) for v in truth]).mean()


for who in habits:
    print(f"{who:10s} {from_truth(lambda v, who=who: given[v, who]):.3f}")
print(f"consensus  {from_truth(agreed.get):.3f}")

aside = [edit_of("00", truth["00"], who, "bad_video") for who in ("one", "two")]
assert "00" not in consensus([*aside, *edits[:1]])  # two of three say so


# %%
apart = max(truth, key=lambda v: np.ptp(of_video[v], axis=0).mean())  # where they differ most
rows = {who: given[apart, who] for who in habits}
rows |= {"consensus": agreed[apart], "the truth": truth[apart]}
print(f"Video {apart}, where they differ most.", describe_levels(rows))
levels_figure(rows)

# %% [markdown]
# Dark is 0, the middle shade with a dot is 0.5, light with a bar is 1. Where two are of one opinion the
# consensus is theirs, and where all three differ it is the middle one. It need not beat the best of
# them. The median stays useful: it needs nobody to say who the careless one is.
#
# ## Out and in again
#
# Edits leave the store as JSON, which holds everything, or as the `<class>/<video>.npy` files of the
# editor that was published in 2022, which hold one annotator's levels and nothing else. Both come in
# again: `stabn import STORE FILE` brings either into a store. The `.npy` files do not say who made them.
# A folder that the organiser's page exported says it in its name (`npy/1-Ada`); of any other, say
# `--annotator NAME`, or the edits become those of a person called "2022 editor". What is set aside is
# not exported. Here is a whole `edits.json`, of one video with three frames:

# %%
write_json(small[:1], folder / "three_frames.json")
print((folder / "three_frames.json").read_text())
write_json(edits, folder / "edits.json")
assert read_json(folder / "edits.json") == edits
print(
    f"edits.json: {(folder / 'edits.json').stat().st_size / 1000:.0f} kB, the same when read again"
)

classes = {v: templates[int(v)].replace("[something]", "something") for v in truth}
own = [e for e in edits if e.annotator == "careful"]
write_npy(own, folder / "npy", classes)
for path in sorted((folder / "npy").rglob("*.npy"))[:3]:
    print(path.relative_to(folder), np.load(path).shape, np.load(path).dtype)
back = read_npy(folder / "npy", {v: len(levels) for v, levels in truth.items()})
assert {e.video_id: e.levels for e in back} == {e.video_id: e.levels for e in own}
print(len(back), "edits read from them; made by", {e.annotator for e in back})

# %% [markdown]
# A **backup** is the whole store, all revisions, as of one moment, and itself a store. It can be made
# while people are working.

# %%
store.backup(folder / "backup.sqlite")
copy = Store(folder / "backup.sqlite", create=False)
assert copy.revisions() == store.revisions()
print(f"backup: {len(copy.revisions())} revisions, the same ones")

# %% [markdown]
# ## For real
#
# ```bash
# make annotate
# ```
#
# serves two pages and prints an address for each, with a token of its own. Give the first to your
# annotators and keep the second:
#
# - the [annotators' page](app/annotate.ipynb): short guidelines with drawn examples, a clip to practise
#   on, a name, and then video after video in the editor of [chapter 13](13_editing_attention.ipynb).
#   Every change is saved at once, and the page says so, or says that it is *not* saved and tries again.
#   It says how far one is ("6 of about 211"), and after each video a line leads back to it for ten seconds.
#   A list holds all videos that one came to, with one's word on each, and leads to any of them.
#   Who comes back under the same name goes on where they were;
# - the [organiser's page](app/organise.ipynb): progress by class and by annotator, agreement, any video
#   with everybody's levels, whose word counts, and exports and backups to download. It sees by itself
#   who and what is new.
#
# ![The annotators' page. Above, a name, "6 of about 211" with a bar, and the buttons Previous video, Skip, Cannot tell, Bad video, Guidelines, and the list of one's videos. Below, the editor: the frame that is looked at, buttons for the levels, the probabilities before and after the edit, and all frames over their bars.](../book/assets/annotators_page.png)
#
# *The annotators' page with a synthetic clip, marked by a simulated annotator.*
#
# ![The organiser's page. Buttons to refresh, to write exports and to make a backup; links to download them; then tables by class, by annotator, and of agreement by pair.](../book/assets/organisers_page.png)
#
# *The organiser's page: two simulated annotators, one of them always a frame late. `make screens` takes
# both pictures.*
#
# **The name** is remembered by the browser, not by the address. An address is copied and sent on, and
# who opened it would go on under another's name; so the page also takes the name out of it. On a
# computer that several people share, each types their own. Where you want a personal link, write
# `&name=Ada` behind the annotators' address: it fills the name in.
#
# **The page has ended** if nobody touched it for an hour, or if the server was stopped. It then says so,
# takes no more strokes, and a button goes on under the same name.
#
# `make annotate QUEUE=folder STORE=file` chooses the queue and the file of the edits, and
# `ARGS="--overlap 2"` gives each video to two people. Our guidelines speak of hands and things, as
# Something-Something's videos show them; where yours show something else, say in a Markdown file what 1,
# 0.5 and 0 mean in them: `ARGS="--guidelines swipes.md"`. `stabn annotate --help` lists the rest.
#
# **Who takes care?** The organiser's page sorts the annotators by four signs, which
# `annotators.csv` in an export holds under the same names. `unchanged` is the share of the videos they
# judged that they left as the network had them; `fast` the share done in less time than the fastest
# tenth of all other people's, about 10% for most; `apart` how far their levels, from 0 to 1, are from
# the median of the others (over `common` videos); `off gold` how far from gold (over `gold` videos). A
# sign is a reason to open some of their videos and to ask; it is no proof. Who did not look is *set aside*,
# with a reason: nothing is removed, and nothing that is computed from then on counts it. Whoever is set
# aside as a whole stays so: what they save later does not count either, until you hear them again.
#
# **Gold** are videos of the queue whose levels an expert knows. `stabn gold STORE expert.json` names
# them, from a JSON file of the expert's edits, and `--annotator NAME` takes what the expert said in the
# store itself. A new naming takes the place of the one before. Everybody is given them, whatever `--overlap` is, and sees them as any other video.
# Networks do not learn from them unless you say `--train`.
#
# **Who can reach it?** Only this machine, unless you add `--host`. Voilà speaks plain HTTP, so beyond
# a network that you trust put it behind a proxy that speaks HTTPS, and say `--public-url` (the book's
# troubleshooting page has the lines for nginx). **Whoever holds the annotators' link** can look at
# the queue's videos and add revisions, under any name: a name is no password, and who types
# another's goes on with that person's videos. They can also open pages until all places are taken;
# whoever comes then is told to wait. They cannot run code, read files, open the organiser's page, or
# change or delete a revision; all that they type is stored and shown as text.
#
# **A file or a server?** SQLite's one file serves a single machine, and dozens of people. It must lie
# on a local disk: network file systems do not lock reliably. Where several machines serve the pages,
# give the address of a PostgreSQL database, `STORE=postgresql://user@host/edits`. `Store` is the same
# for both, and the tests run against both.
#
# **How many annotators does a machine hold?** Each open page is a Python process with the editor in
# it, of about 210 MiB, so memory is what ends first: a machine with 8 GiB free holds 34, one with
# 16 GiB free 73. `make annotate` says for how many it found room, and `--pages` sets another number
# (`benchmarks/annotators.py` measures the memory). The address itself shows a few words and asks for
# the name; the process begins only then, so the preview of a link takes no place. One process more
# than there are visitors is kept ready, so that who comes next does not wait for its start
# (`--ready`). Who comes when all places are taken sees a page that tries again every minute. A place
# that no browser connects to comes free after `--arrival` seconds. A page that nobody has touched for
# a while (`--idle`) gives its memory back, and loses nothing. How many edits a second either database
# takes with seventy-four people saving at once, and that none is lost, is measured by
# `benchmarks/store_throughput.py`.
#
# **Backups** go to another disk than the store. Take one a day from the organiser's page, and one
# before you update `stabn`.
#
# What to do with the edits: [chapter 14](14_fine_tuning.ipynb). What they did here, where the truth
# stands in for people: [Table 2](results_table2.ipynb).
#
# ## What we learned
#
# - Rows that are only added, and a key that allows each number once: that is how nothing is
#   overwritten, and why a second tab is told so.
# - What is called saved is on disk, even if the process is killed in the next moment.
# - A lease keeps two people from the same video; it is no lock, and losing it loses no work.
# - Krippendorff's alpha measures agreement beyond chance. It finds the careless, not what all get
#   wrong in the same way.
# - A careless minority cannot spoil the median over annotators.

# %% [markdown]
# ## Questions
#
# **Question 1.** Two people say "irrelevant" of every frame of every video. How good is their
# agreement?
#
# 1. Perfect: not one frame differs.
# 2. It cannot be told.
# 3. As bad as chance, so $\alpha = 0$.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: chance would give the same, if nothing but 0 is ever said.
# 2. **Right:** expected disagreement is 0 as well, and $0/0$ has no value. They may have looked, or
#    not.
# 3. No: $\alpha$ would be 0 if they differed as often as chance has it. Here they cannot differ.
#
# </details>
#
# **Question 2.** Somebody's lease ran out, and another person has the video. Now the first one
# saves. What happens?
#
# 1. It is refused: the video belongs to the other one.
# 2. It takes the place of what the other one said.
# 3. It is kept, as the first one's own revision.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: a lease is a courtesy, not a lock. Work is not thrown away.
# 2. No: nothing is overwritten, and each annotator's video has revisions of its own.
# 3. **Right:** both have spoken of this video, and both count.
#
# </details>
#
# **Question 3.** All annotators miss the frames of context in the same way. Does $\alpha$ find it?
#
# 1. No: they agree.
# 2. Yes: $\alpha$ falls as more frames are wrong.
# 3. Yes, if there are at least three annotators.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** agreement is not truth. Gold videos, whose levels an expert knows, would find it.
# 2. No: $\alpha$ does not know what is wrong. It compares people with each other.
# 3. No: any number of people can be wrong in the same way.
#
# </details>
#
# **Question 4.** Three annotators give a frame the levels 0, 1 and 1. Which level does fine-tuning
# take?
#
# <details class="answers"><summary>The answer</summary>
#
# **1.0**, that is `float(np.median([0, 1, 1]))`: the median is the middle one of the three, in
# order.
#
# - **0.67:** this is the mean. One careless person would move it in every frame.
# - **0.5:** nobody said so, and the median of three is always what somebody said.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** A name that somebody types is given to a database. What does `TinyStore` do with
# `x'); DROP TABLE revisions; --`, and why?

# %% tags=["hide-cell"]
nasty = "x'); DROP TABLE revisions; --"
tiny.save("7", nasty, [1, 1, 0, 0], after=0)
print("kept:", tiny.all("7", nasty), "and as before:", len(tiny.all("7", "simulated")), "revisions")
print("The ? in the statement stand for values. They are never read as SQL.")

# %% [markdown]
# **2.** Two annotators mark the same, but one of them always a few frames late. What does alpha say
# of it, and would you care?

# %% tags=["hide-cell"]
for late in (0, 1, 2, 4, 8):
    frames = [
        [levels[t], levels[max(t - late, 0)]]
        for levels in truth.values()
        for t in range(len(levels))
    ]
    print(f"{late} frames late: α = {open_alpha(frames):.2f}")
print(
    "A frame or two lowers it little; whether it matters to the network is chapter 13's exercise 2."
)

# %% [markdown]
# **3.** How many careless annotators of five can the consensus bear?

# %% tags=["hide-cell"]
for bad in range(6):
    kinds = [careless] * bad + [careful] * (5 - bad)
    off = [
        np.abs(np.median([kind(levels, rng) for kind in kinds], axis=0) - levels)
        for levels in truth.values()
    ]
    print(f"{bad} of 5 careless: the consensus is {np.concatenate(off).mean():.3f} from the truth")

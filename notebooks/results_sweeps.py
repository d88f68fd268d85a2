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
# # How many edits, how strong, how exact?
#
# *Hardware: any laptop, no training here, a few seconds.*
#
# **The question.** People's time is the dearest part of the method. How many videos must they edit, how
# hard should the network be pulled, and how much do wrong levels spoil?
#
# **The set is constructed and the edits are stand-ins**, as on [the page before](results_fault.ipynb):
# the biased variant of mini-SSv2, here with the **gated fusion**, whose gate never quite shuts, and on the
# clips that settings were chosen on with seed 0, which is counted here. With **the gate that closes**, the way
# that mends, these points are not on record yet; `make study` makes them. Each point below differs from one study's
# *knowledge* arm in one thing. Its gain is measured against a *control* of the same seed that saw the
# same clips, with the swapped sign, where reading the sign is wrong. With another *share* other videos are
# repeated, so each share has a control of its own; all other points have that study's control.

# %% tags=["hide-input"]
import numpy as np
from IPython.display import HTML

from stabn.data.mini.make import VARIANTS, example
from stabn.figures import sweep_figure
from stabn.tables import effort, sweeps
from stabn.tables.fault import SWAPPED, top1
from stabn.tables.finetunings import settings_in_words
from stabn.tables.runs import provenance

# %%
gained = {words: sweeps.gains(top1(SWAPPED), name) for name, words in sweeps.SWEEPS.items()}
for name in sweeps.SWEEPS:
    print(sweeps.in_a_sentence(name))
print(settings_in_words(sweeps.study()))
panels = {words: points for words, points in gained.items() if points}
sweep_figure(panels, label="knowledge − control, points") if panels else None

# %% [markdown]
# Grey: one seed each. Squares: their mean. Where the grey points of two neighbours overlap, these runs do
# not tell them apart.
#
# ## The share of edited videos

# %%
HTML(sweeps.sweep_table("share"))

# %% [markdown]
# The first column of figures is how well $M_t$ agrees with the truth of clips that nobody edited, the
# second what the answers gained. A row with one or two seeds says little by itself; p is given where
# there are two or more.
#
# ## γ and its divisor
#
# $\gamma_t$ means nothing without the divisor: averaged over the *edited* clips of a batch, the pull on
# each stays the same however few there are; averaged over *all* clips, it shrinks with their share
# ([chapter 7](07_losses.ipynb) works out the factor).

# %%
HTML(sweeps.sweep_table("gamma"))

# %%
HTML(sweeps.sweep_table("batch"))

# %% [markdown]
# ## Wrong levels
#
# In a share of each video's frames, drawn by lot, the level is replaced by one of the two others.
# Scattered errors are the kindest kind: they average out over frames. An annotator who misses the
# beginning of every action errs in one direction, and that is another question.

# %%
HTML(sweeps.sweep_table("noise"))

# %%
done = [
    one
    for name in sweeps.SWEEPS
    for seeds in sweeps.points(name).values()
    for one in seeds.values()
]
print(provenance(list({one.link: one for one in done}.values())))

# %% [markdown]
# ## What a point costs in minutes
#
# Stand-ins take no time. So one of this book's makers edited videos of this set in a browser, and the
# editor's own clock measured it. This annotator was practised, but saw still pictures of the page, and was
# slower at each step than a hand on a mouse. One person and a few videos give an order of magnitude.

# %%
timed = effort.timed_edits()
print(effort.seconds_in_words(timed))

# %% [markdown]
# Were these edits any good? The set knows. A video's levels depend on its number alone, so the truth
# can be drawn again:

# %%
equal, acting = [], []
for edit in timed:
    truth = example(
        0, (0, int(edit.video_id)), size=VARIANTS["biased"]["mini"], shown="none"
    ).levels
    levels = np.array(edit.levels)
    assert len(truth) == len(levels)
    equal.append(np.mean(levels == truth))
    acting.append(np.mean((levels == 1) == (truth == 1)))
print(
    f"frames with the true level: {np.mean(equal):.1%}, from {min(equal):.0%} to {max(equal):.0%}"
)
print(f"frames rightly called action, or not: {np.mean(acting):.1%}")

# %% [markdown]
# Most of the difference is at the edges of *context*: the set calls the hand's coming and going 0.5
# for a few frames longer than the hand can be seen. Compare the share of wrong levels with the table
# above.
#
# Minutes an annotator would need for the edits of each point, and for each point of accuracy:

# %%
HTML(effort.minutes_per_point())

# %% [markdown]
# Minutes are the *mean* time of an edit times the number of videos. The price counts the time of one
# annotator for each video. It says nothing about choosing the videos,
# reading guidelines, or a second opinion.
#
# ## What we learned
#
# - $M_t$'s agreement and the answers' gain are two figures: report both.
# - A value of $\gamma_t$ is only worth reporting together with its divisor and the share of edited clips.
# - Before a gain is put down to more or better edits, look at the spread of the seeds.

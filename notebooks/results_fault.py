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
# # A known fault: can edits mend it?
#
# *Hardware: any laptop, no training here, half a minute.*
#
# **This experiment is constructed.** We put a fault into a synthetic data set on purpose. How common such
# faults are in real videos is another question.
#
# **The question.** The paper asks people because training data may lead a network to look at the wrong
# time. On the plain set, [Table 2](results_table2.ipynb), nothing does. If our data do, can edits of
# *when* make the network look away, and does that mend its answers?

# %% tags=["hide-input"]
import numpy as np
from IPython.display import HTML, Markdown

from stabn.data.mini.make import VARIANTS, example
from stabn.data.mini.sign import BIAS, PARTNER
from stabn.figures import filmstrip, moving_clips, seeds_figure
from stabn.tables import fault
from stabn.tables.finetunings import NAMES, Value, settings_in_words
from stabn.tables.runs import provenance

# %% [markdown]
# ## The fault
#
# Four classes that are hard to tell apart, in two pairs:

# %%
templates = VARIANTS["biased"]["mini"].templates
for template in templates:
    print(f"{template:42s} is confused with   {PARTNER[template]}")

# %% [markdown]
# A round sign with a drifting grating stands in the picture while *nothing happens*: before the hand
# comes or after it has gone. Its drift is the class's own, or its partner's:

# %%
size = VARIANTS["biased"]["mini"]
clips = {
    shown: example(0, (52, 0), size=size, shown=shown, split="validation")
    for shown in ("own", "partner", "none")
}
own = clips["own"]
idle, acting = np.flatnonzero(own.sign.any(axis=(1, 2))), np.flatnonzero(own.levels == 1)
print(f"“{own.template}”: the sign in frames {idle[0]} to {idle[-1]},")
print(f"the action in frames {acting[0]} to {acting[-1]} of 0 to {len(own.frames) - 1}")
some = [*idle[:4], *acting[:: len(acting) // 4][:4]]
filmstrip(own.frames[some], frame_indices=some, columns=4)

# %%
named = {"own": "the class's own sign", "partner": "its partner's sign"}
with_sign = idle[len(idle) // 2]
both = {words: clips[shown].frames for shown, words in named.items()}
moving_clips(both, stills=[with_sign, with_sign])

# %% [markdown]
# In training the sign is the class's own in most clips, and the partner's in the others. So a network
# that reads the drift alone is right in most clips. Validation comes in three lists of *the same scenes*:
# the own sign (**aligned**), the partner's (**swapped**), none (**absent**).

# %%
print(f"own sign in {BIAS.own:.0%} of the training videos")
print(f"at least {BIAS.margin} frames between the sign and the hand, on either side")
same = {
    name: np.array_equal(clip.frames[acting], own.frames[acting]) for name, clip in clips.items()
}
assert all(same.values())  # while the action moves, the three clips are one
print("frames of the action are the same in all three lists:", all(same.values()))

# %% [markdown]
# The tuning split has the same fault, as a held-out part of a faulty collection would. So the paper's rule
# for choosing videos, classes under 50 %, finds nothing; a person who looks at attention sees the fault.
# Here a fifth of the training videos are taken, the worst first, with their truth as **stand-in** edits: 1
# while the action moves, 0.5 while the hand comes or goes, 0 elsewhere, the sign included.
#
# ## What comes of it
#
# Four arms, all from one network: before, control ($\gamma_t = 0$), placebo (other videos' edits),
# knowledge. All see the edited videos four times an epoch. Many of the worst have the partner's sign, so
# this alone may help. It helps the control too, so we subtract the control.
#
# There are two **fusions**. The paper's (chapter 6) joins $(1 + M_s) \cdot f$ with $M_t \cdot f$: $M_t$
# does not weigh the spatial half. The **gated** one is ours: $(1 + M_s) \cdot M_t \cdot f$ joined with
# $M_t \cdot f$, so that *when* governs both halves. The last row of the first table is a network that
# learned the same scenes without any sign: about what could be reached. Which seeds all this counts is
# said below the tables.

# %%
HTML(fault.fault_table("paper"))

# %%
HTML(fault.fault_table("gated"))

# %%
done = [*fault.study("paper"), *fault.study("gated")]
print(settings_in_words(done))
print(provenance([*done, *fault.clean()]))

# %% [markdown]
# $\gamma_t$ is 100 here and 10 in Table 2, which keeps the paper's value. All settings here were chosen
# on a tuning list with the swapped sign; validation was scored once.

# %%
Markdown(fault.counted_in_words())

# %% [markdown]
# A seed that settings were chosen with may do a little better than the others. A single run has no spread:
# another seed without the fault may lie a few points higher or lower, and *how far edits lead* with it.
# [The next page](results_sweeps.ipynb) has other values.
#
# Judge a mended network by *swapped*, where reading the sign is wrong, and by **aligned − swapped**: the
# points that the sign decides. The **mean of both** hardly moves, because a shortcut pays where it holds:
# the network that never met the sign has a *lower* mean than the control.
# Here **control** is the arm trained as long without $\mathcal{L}_{temp}$, as in Table 2; the *matched
# control* of Table 1, whose attention is constant, is another network.
#
# ### Gated fusion


# %%
def by_seed(fusion: str, of: Value) -> dict:
    """Values by arm and seed, under short names."""
    return {
        NAMES[arm].removeprefix("the "): {seed: value for (seed, _), value in values.items()}
        for arm, values in fault.by_arm(fusion, of).items()
    }


swapped, aligned = fault.top1("validation_swapped"), fault.top1("validation_aligned")
values = by_seed("gated", swapped)
for name, of in values.items():
    print(f"{name}: {', '.join(f'{v:.1f}' for v in of.values()) or 'no record'}")
seeds_figure(values, "top-1, swapped sign, %") if any(values.values()) else None

# %%
HTML(fault.paired_fault("gated", swapped, "Top-1, swapped sign"))

# %%
Markdown(fault.findings_fault("gated", swapped, "in top-1 with the swapped sign"))

# %%
print(f"Edits go {fault.share_mended('gated'):.0%} of the way from the control to no fault.")
Markdown(fault.findings_fault("gated", fault.reliance, "in aligned − swapped"))

# %% [markdown]
# ### The paper's fusion

# %%
HTML(fault.paired_fault("paper", swapped, "Top-1, swapped sign"))

# %%
Markdown(fault.findings_fault("paper", swapped, "in top-1 with the swapped sign"))

# %% [markdown]
# ### The price
#
# Gated fusion, where the sign is *right*:

# %%
Markdown(fault.findings_fault("gated", aligned, "in top-1 with the class's own sign"))

# %% [markdown]
# And without any sign:

# %%
absent = fault.top1("validation_absent")
Markdown(fault.findings_fault("gated", absent, "in top-1 without a sign"))

# %% [markdown]
# ## Through which half of the fusion does the sign pass?
#
# We show the sign to *one half* of the fusion, and the same scene without it to the other. How far does
# this move the answer from the clip's own class towards its partner, first with the network's own $M_t$,
# then with the truth in its place?

# %%
HTML(fault.ways_table("paper"))

# %%
HTML(fault.ways_table("gated"))

# %% [markdown]
# This is the **leak**. In the paper's fusion the sign passes through the spatial half, which even a
# perfect $M_t$ does not weigh. In the gated fusion a perfect $M_t$ is 0 wherever the sign is, in both
# halves. This follows from equations (1) to (3), before any training.
#
# ## What the truth would repair, and what training reaches
#
# The **oracle** is the same network's answer with the truth as $M_t$, without training for it. It is no
# upper bound: the layers behind the fusion have never met such an $M_t$, and may answer *worse* with it
# than with their own. Training with edits lets them learn to use it. Beside the oracle stands $M_t$
# after fine-tuning (on frames that show the sign, on the action, on other idle frames), its agreement with
# the truth, and, as in [Table 3](results_table3.ipynb), what $1 - M_s$ costs.

# %%
HTML(fault.attention_table("paper"))

# %%
HTML(fault.attention_table("gated"))

# %% [markdown]
# The last row counts points *lost*: where it is negative, the answers get **better** when $M_s$ is turned
# round.

# %%
Markdown(fault.inverted_in_words())

# %% [markdown]
# Why may it help here? If $M_s$ is high on the sign, $1 - M_s$ is low there, and a sign that misleads
# weighs less. These records do not measure $M_s$ on the sign, so this is a guess. Either way the row shows
# how the answer *depends* on $M_s$, not whether $M_s$ is right.
#
# ## What we learned
#
# - The paper's rule for choosing videos is blind to a fault that training and held-out data share.
# - $\mathcal{L}_{temp}$ teaches $M_t$ the truth in *both* fusions. Only where $M_t$ governs both halves
#   can that hold the sign up.
# - A mended $M_t$ is not yet a mended network: classification still rewards the sign in most training
#   clips, and the layers behind the fusion amplify what little $M_t$ lets through.
# - Compare knowledge with a control that was trained as long. And *significant* is not *cured*: look at
#   how much of the way is left.
#
# [The next page](results_sweeps.ipynb) varies the number of edits, $\gamma_t$, and how exact edits are.

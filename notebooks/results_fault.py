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
#
# **The answer in short:**

# %% tags=["remove-input"]
from IPython.display import HTML, Markdown

from stabn.tables import glance

Markdown(f"- {glance.sign_relied_on()}\n- {glance.fault_mended()}\n- {glance.fault_left()}")

# %% tags=["hide-input"]
import numpy as np
import torch

from stabn.data.mini.make import VARIANTS, example
from stabn.data.mini.sign import BIAS, PARTNER
from stabn.figures import arms_figure, describe_arms, filmstrip, moving_clips, seeds_figure
from stabn.models.attention import Fusion
from stabn.tables import choice, fault, fault_tables, plain
from stabn.tables.finetunings import SHORT, read_finetunings, settings_in_words
from stabn.tables.runs import provenance
from stabn.tables.varying import your_number
from stabn.training.checkpoint import REPOSITORY

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
stands = np.split(idle, np.flatnonzero(np.diff(idle) > 1) + 1)  # without the frames between
stands = " and ".join(f"{run[0]} to {run[-1]}" for run in stands)
print(f"“{own.template}”: the sign in frames {stands},")
print(f"the action in frames {acting[0]} to {acting[-1]} of 0 to {len(own.frames) - 1}")
some = [*idle[:4], *acting[:: len(acting) // 4][:4]]
filmstrip(own.frames[some], frame_indices=some, columns=4)

# %% [markdown]
# First the sign, then the action. What else grows or drifts in the scene is decoration, and tells nothing of
# the class. Now both signs, moving:

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
# ## What should change
#
# A network that reads the sign is *better* where the sign is right. So a mean over the lists cannot tell
# a mended network: what it gains on one list it loses on another. Four measures can:
#
# | measure | what it is | should |
# |---|---|---|
# | **worst list** | top-1 on the list that the network is worst on | rise |
# | **absent** | top-1 where there is no sign to read | not fall |
# | **reliance** | aligned − swapped: points that the sign decides, in the same scenes | fall to 0 |
# | **leak** | logits by which the partner's sign moves the answer | fall to 0 |
#
# The last row of each table is **the network without the fault**: the same network, trained on the same
# scenes without any sign. It is a mark to compare with, and no upper limit. Where the sign is right, a
# mended network should come *down* to it.
#
# ## Four ways
#
# Edits say *when* a frame matters. They act on $M_t$, through $\mathcal{L}_{temp}$ (chapter 7). What $M_t$
# then does to the answer is the fusion's affair (chapter 6):
#
# - **The paper's fusion** joins $(1 + M_s) \cdot f$ with $M_t \cdot f$. $M_t$ does not weigh the first half.
# - **Gated** (ours): $(1 + M_s) \cdot g \cdot f$ joined with $g \cdot f$, with the gate $g = M_t$. *When*
#   governs both halves.
# - **A gate that closes** (ours): the same, with a gate that is shut up to a threshold $\tau$. It is put in
#   when fine-tuning begins: into networks that were trained **gated**, and into networks that were trained
#   with **the paper's** fusion:
#
# $$ g = \max\Bigl(0,\; \frac{M_t - \tau}{1 - \tau}\Bigr), \qquad \tau = 0.3 . $$
#
# It has no weights, so a trained network can take it as it is:

# %%
fusion = Fusion(1, "gated", relu=False, closed=0.3)
m_t = torch.tensor([[0.0, 0.15, 0.3, 0.65, 1.0]])  # by hand: 0, 0, 0, 0.35 / 0.7 = 0.5, 1
f = torch.ones(1, 1, 5, 1, 1)  # (N, C, T, H, W)
_, let_through = fusion.halves(f, torch.zeros_like(f), m_t)
for weight, gate in zip(m_t[0].tolist(), let_through.flatten().tolist(), strict=True):
    print(f"M_t {weight:.2f}   g {gate:.2f}")

# %% [markdown]
# In each way and seed there are four arms from one network: before, control ($\gamma_t = 0$), placebo (other
# videos' edits), knowledge. With the gate or without, they start from the *same* networks. All see the
# edited videos four times an epoch. Many of the worst have the partner's sign, so this alone may help. It helps
# the control too, so we compare with the control: trained as long, on the same clips, with the same gate. (The
# *matched control* of Table 1 is another network.)

# %% tags=["hide-input"]
#| fig-alt: Top-1 of the four arms on the swapped, absent and aligned lists for the four ways, with a dashed line for the network without the fault; the printed lines above the figure give the means
short = {
    "paper": "paper’s",
    "paper_closing": "paper’s,\ncloses",
    "gated": "gated",
    "closing": "gated,\ncloses",
}
panels = {
    words: {
        name: {
            SHORT[arm].removeprefix("network "): list(values.values())
            for arm, values in fault.by_seed(way, fault.top1(key)).items()
        }
        for way, name in short.items()
    }
    for key, words in fault.LISTS.items()
}
reached = {words: fault.clean_mean(fault.top1(key)) for key, words in fault.LISTS.items()}
print(describe_arms(panels, reached))
arms_figure(panels, reached, "top-1, %")

# %% [markdown]
# A grey point is a seed, a mark the mean of an arm, the dashed line the mean of the networks without the fault.
# Read the leftmost panel first: it shows where reading the sign is wrong.

# %%
HTML(fault_tables.measures_table(short))

# %% [markdown]
# The network that never met a sign has a *negative* reliance and leak. Why is not known; it shows what these
# two can be without any shortcut. So 0 is mended; nobody has to go on to below 0. (The goal that was set
# before the study was less: 10 points.) And a mean would have seen nothing:

# %%
Markdown(fault_tables.mean_in_words("paper_closing"))

# %%
done = [one for way in short for one in fault.study(way)]
print(settings_in_words(done))
print(provenance([*done, *fault.clean()]))

# %% [markdown]
# $\gamma_t$ is 100 here and 10 in Table 2, which keeps the paper's value. $\gamma_t$, learning rate, epochs
# and repeats were chosen with one seed on *tuning_swapped*, with the gated fusion, before the gate that closes
# was thought of. They were left as they were. A fifth of the videos was set, not chosen.

# %%
Markdown(fault_tables.counted_in_words())

# %% [markdown]
# ### Is it more than luck?
#
# The paper's networks with the gate that closes, seed by seed:

# %%
values = fault.by_seed("paper_closing", fault.reliance)
values = {SHORT[arm].removeprefix("network "): of for arm, of in values.items()}
for name, of in values.items():
    print(f"{name}: {', '.join(f'{v:.1f}' for v in of.values()) or 'no record'}")
seeds_figure(values, "aligned − swapped, points") if any(values.values()) else None

# %%
print(your_number(fault.study("paper_closing"), values))

# %%
HTML(fault_tables.verdicts_table("paper_closing"))

# %% [markdown]
# Knowledge against the control says what edits gave, knowledge against the placebo what *these* edits
# gave, the placebo against the control what the mere look of an edit gave, and the control against before
# what more training gave by itself.

# %%
Markdown(fault_tables.credit_in_words("paper_closing"))

# %% [markdown]
# So each has its share, and only the videos' own edits take it away whole. Is it the gate? The same
# networks, clips and edits, with the gate and without:

# %%
HTML(fault_tables.gate_table())

# %% [markdown]
# With edits the gate decides. Without them (*control*) it gives nothing, and may cost a little.
#
# **Which network to start from?** The reliance falls to about 0 in either. But the networks that were
# trained with the paper's fusion answer better in the end. First they, then those trained gated:

# %%
Markdown(fault_tables.range_in_words("paper_closing"))

# %%
Markdown(fault_tables.range_in_words("closing"))

# %% [markdown]
# Where an edit can only take the sign away, something else must be left to look at, and fine-tuning leaves
# the feature extractor as it is. A gated network of low accuracy on *absent* ends low. So look at *absent* before you ask
# people for edits. The gate's settings were chosen on a network that was trained gated, before any of the
# paper's had been given it; nothing was chosen again.
#
# **The price** stands in the row *Aligned* of the table of tests. Where the sign is *right*, a network that
# stops reading it must lose; it comes down towards the network without the fault (the dashed line of the
# figure).
#
# The other three ways:

# %%
HTML(fault_tables.verdicts_table("closing"))

# %%
HTML(fault_tables.verdicts_table("gated"))

# %%
HTML(fault_tables.verdicts_table("paper"))

# %% [markdown]
# ## Why the obvious way leaks
#
# We show the sign to *one half* of the fusion, and the same scene without it to the other. How far does
# this move the answer from the clip's own class towards its partner, first with the network's own $M_t$,
# then with the truth in its place?

# %%
HTML(fault_tables.halves_table("paper"))

# %%
HTML(fault_tables.halves_table("gated"))

# %% [markdown]
# (The halves do not add up to the whole: layers that bend lie behind them.) Two leaks, then. In the paper's
# fusion the sign passes through the spatial half, which even a perfect $M_t$ does not weigh. The gated fusion stops this: with the truth as $M_t$, nothing passes. (The sign stands
# so far from the hand that the features of the action do not see it.) But the network's own $M_t$ is not
# the truth:

# %%
HTML(fault_tables.attention_table("paper"))

# %%
HTML(fault_tables.attention_table("gated"))

# %% [markdown]
# Edits have taught it well with either fusion: low on the sign, high on the action. But low is not 0, a sigmoid never gets
# there, and a signal at 15 % of its size is still a signal. The convolution, the batch normalisation and
# all layers behind can make it large again; and most training clips reward them for it.
#
# ## What closes the leak
#
# What was missing is a fusion that takes "hardly" for "no": the gate $g$ of the fourth way above. At $\tau$ and
# below nothing passes, and no gradient either, so there is nothing to make large. (A frame that is shut out
# by mistake can come back where an edit says so: $\mathcal{L}_{temp}$ reads $M_t$ before the gate. And a level
# of 0.5, *context*, comes out as $g = 0.29$.) The arm *before* has no gate yet: its first two rows are the
# paper's fusion.

# %%
HTML(fault_tables.halves_table("paper_closing"))

# %%
HTML(fault_tables.attention_table("paper_closing"))

# %% [markdown]
# The **oracle** is the same network's answer with the truth as $M_t$. It is no upper bound: the layers
# behind the fusion were trained with the network's own $M_t$, and may answer *worse* with another.
# The last row is how top-1 changes when $M_s$ is turned round: above 0 the answers get **better**.

# %%
Markdown(fault_tables.inverted_in_words())

# %% [markdown]
# ### Turn it yourself
#
# In the pages of the built book five networks of one seed answer here, under one drag: *before*, and control
# and knowledge of the paper's way and of the way that mends (*closes*: the gate was put into the same network
# when fine-tuning began).
#
# Two scenes, each with its own sign, with its partner's, and with none. They are fresh ones, drawn as
# validation clips are, and chosen by rule. In both, *before* and *paper's: knowledge* are right with the own
# sign and wrong with the partner's. The first is the first such scene that *closes: knowledge* gets right with
# either sign, the second the first that it, too, gets wrong with the partner's. Until you touch a bar each
# network answers with its own $M_t$; from then on all get what the bars say. The line in a bar is the $M_t$ of
# *before*, the hatching the truth. The sign is the striped disc in the pictures; a small one stands beside the
# number of each frame that shows it. Above the table stands whose weights the networks have.
#
# <div class="live" data-live="fault"></div>
#
# What to try, and what to see:
#
# 1. **Change the sign and nothing else**: choose the first clip, then the second. *before* falls for the
#    partner's sign, and so does *paper's: knowledge*. *closes: knowledge* answers as in the first clip.
# 2. **Lend the edits' $M_t$ to all**: with the partner's sign, press *paper's: knowledge* in the lower row of
#    buttons. Its weights are low where the sign stands, as edits have taught it. Yet *before* and *paper's:
#    knowledge* stay wrong. *All 0* does not help them either: the sign comes through
#    $(1 + M_s) \cdot f$, which $M_t$ does not weigh.
# 3. **Below $\tau$ nothing passes**: pull a bar about between 0 and 0.3. In the two columns on the right not
#    one number moves. In the others they may, some by less than a point.
# 4. **Mend the second scene by hand**: with the partner's sign, *closes: knowledge* lowers its $M_t$ too late,
#    so its first frames with the sign still pass. Press *The truth*, and it is right, with either sign. The
#    margin is thin: its two likeliest classes end a few points apart. An edit of such a video says just this.
#    The others were not taught by it, and may get worse.
#
# (In JupyterLab the place above is empty.) The five were trained again for this figure, with a seed of the
# tables but on another machine, so they are near those of the tables and not the same:

# %% tags=["hide-input"]
again = read_finetunings(REPOSITORY, "book/results/shown/*_finetune_seed*.json")
for one in sorted(again, key=fault.way_of):
    (other,) = [other for other in fault.study(fault.way_of(one)) if other.seed == one.seed]
    print(f"{fault.WAYS[fault.way_of(one)]}, seed {one.seed}: top-1 in % (in the tables)")
    for arm in ("before", "control", "knowledge"):
        on = [
            f"{name.lower()} {fault.top1(key)(one, arm):.0f} ({fault.top1(key)(other, arm):.0f})"
            for key, name in fault.LISTS.items()
        ]
        print(f"  {arm:9s} {', '.join(on)}")

# %% [markdown]
# ## How the threshold was chosen
#
# With one network, of seed 0, on clips that were drawn for tuning; no validation clip was looked at. A first
# look compared gates and losses by the worst list. Beside *squared error* stands cross-entropy on the levels,
# with its weight. *Moved by edits alone*: the other losses send no gradient into $M_t$. *Fully open from 0.5*:
# the gate rises from 0 at 0.3 to 1 at 0.5.

# %%
HTML(choice.looks_table())

# %% [markdown]
# Cross-entropy on the levels, whose gradient does not vanish near 0, is no better than the squared error in this one
# network: a stronger pull did not help. The truth in place of $M_t$, in training and in scoring, shows about
# what edits could reach with a gated fusion (one network, one run). Of the ways that need no truth, the highest
# worst list has $\tau = 0.3$ with everything else as it was. This was the choice. It was fixed before the five
# seeds above were run.
#
# That look was taken by a script. `make study` goes over the thresholds once more with the library's own
# fine-tuning, the same seed, and the same tuning clips: a check and no second choice. Where a dash stands it has not been
# run yet, and the choice rests on the table above.

# %%
HTML(choice.closed_table())

# %% [markdown]
# ## Does it harm where nothing is broken?
#
# The plain set has no fault. Five networks, trained anew by the recipe of [Table 1](results_table1.ipynb)'s
# ST-ABN with the paper's fusion, are fine-tuned both ways, with the videos that the paper's rule selects. They
# are other networks than that table's, so *before* is not the same to the point. Nothing was chosen on them.

# %%
HTML(plain.plain_table())

# %%
done = [one for way in plain.SHOWN for one in plain.study(way)]
print(settings_in_words(done))
print(provenance(done))
Markdown("The paper's way:\n\n" + plain.findings_plain("paper"))

# %%
Markdown("With the gate that closes:\n\n" + plain.findings_plain("closing"))

# %% [markdown]
# So what does our way cost where nothing is broken?

# %%
Markdown(plain.price_in_words())

# %% [markdown]
# Against the paper's way, that is; against its own control a loss is not told from luck (above). Without edits only the
# gate differs. With them the pull is harder, too, and what of the rest is whose is not
# measured. With *other videos'* edits, which helped a little on the set with the fault, it costs most: what the gate
# shuts out is gone, right or wrong. It trusts the
# annotator more than the paper's fusion does, for better and for worse. So close it where attention shows a
# fault, and not as a habit.
#
# ## All lists, arm by arm

# %%
HTML(fault_tables.lists_table("paper"))

# %%
HTML(fault_tables.lists_table("gated"))

# %%
HTML(fault_tables.lists_table("paper_closing"))

# %%
HTML(fault_tables.lists_table("closing"))

# %% [markdown]
# ## What we learned
#
# - The paper's rule for choosing videos is blind to a fault that training and held-out data share.
# - A mended network is not told by a mean over lists: look at the worst list, and at what the shortcut
#   still decides.
# - $\mathcal{L}_{temp}$ teaches $M_t$ with each of these fusions. Whether this reaches the answer is the
#   fusion's affair: a weight of 0.15 is not "out" as long as there are layers behind it.
# - A gate that shuts lets edits reach the answer, of a network trained with the paper's fusion, too. Without
#   edits it gives nothing. Where nothing is broken, our way (the gate, and a harder pull) ends below the
#   paper's: by a little with right edits, by much with other videos' edits.
# - Compare knowledge with a control that was trained as long, gate and all.
#
# [The next page](results_sweeps.ipynb) varies the number of edits, $\gamma_t$, and how exact edits are.

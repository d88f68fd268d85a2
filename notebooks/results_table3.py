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
# # Table 3: what if the spatial attention is turned round?
#
# *Hardware: any laptop, no training here, a few seconds.*
#
# **The question.** If the network uses *where* it looks, then looking everywhere else must hurt. At
# test time $M_s$ is replaced by $1 - M_s$ (the paper's equation 7) and nothing else is changed. The
# paper finds that top-1 falls by 31.5 points before fine-tuning and by 40.6 after, and reads the larger
# fall as a sign that knowledge of *when* improved *where*. A fall that grows with *any* further
# training would not be such a sign, so the control and the placebo stand beside.

# %% tags=["hide-input"]
from IPython.display import HTML, Markdown

from stabn.figures import seeds_figure
from stabn.tables import fault_tables, table2, table3
from stabn.tables.finetunings import ARMS, NAMES
from stabn.tables.runs import provenance
from stabn.tables.varying import your_number

# %% [markdown]
# ## Something-Something v2

# %%
HTML(table3.real_table3())

# %% [markdown]
# ## mini-SSv2, synthetic, with stand-in edits
#
# The same networks as in [Table 2](results_table2.ipynb): edits are the set's own truth, and nobody
# made them.

# %%
HTML(table3.mini_table3())

# %%
study = table2.study()
print(provenance(study))

# %% [markdown]
# ## Does the fall grow?
#
# Points of top-1 that $1 - M_s$ costs, seed by seed:

# %%
falls = {
    NAMES[arm].removeprefix("the "): {
        seed: value for (seed, _), value in table3.drops(study, arm).items()
    }
    for arm in ARMS
}
for name, of in falls.items():
    print(f"{name}: {', '.join(f'{v:.1f}' for v in of.values()) or 'no record'}")
seeds_figure(falls, "points lost by 1 − M_s") if any(falls.values()) else None

# %%
print(your_number(study, falls))

# %%
HTML(table3.paired_table3())

# %%
Markdown(table3.findings3())

# %% [markdown]
# ## Turn it round yourself
#
# In the pages of the built book the network before fine-tuning stands here, with clips that it was not
# trained on. The colours are its $M_s$, one map a frame; the dashed line is the truth, the moved object
# with the hand. *Invert* puts $1 - M_s$ in place of $M_s$ in every frame and changes nothing else, as the
# rows above did with every clip of the validation set.
#
# <div class="live" data-live="where"></div>
#
# (In JupyterLab the place above is empty.)
#
# The clips are chosen by rule, the first of fresh ones: two whose right answer inversion takes away, one
# that keeps it, one that is wrong and becomes right, as far as such clips were found among those tried. Each
# clip's name says of which kind it is, and a kind that was not found is named below the figure. So
# they show what can happen, not how often: that is what the table counts, and its fall is what remains of
# the answers lost when the answers gained are taken off.
#
# Watch the column *logit* as you invert. The true class's logit may well *rise* while its answer is lost.
# Inversion turns a low map into a high one, the features grow with it, and many logits rise together.
# Softmax asks only how they stand to each other: the true class loses if another has risen more.

# %%
lost = table3.drops(study, "before").values()
if lost:
    least, most = min(lost), max(lost)
    print(f"On record, 1 − M_s costs networks like it {least:.1f} to {most:.1f} points of top-1.")

# %% [markdown]
# Three things to try on the first clip. *Its mean everywhere* keeps how strong the map is and takes away
# where. If the answer holds, it was not the place that carried it. *All 1* doubles every feature alike and
# names no place either. And *Brush lowers*, drawn over the object in every frame, asks whether the answer
# needs just that place. A clip that *Invert* ruins need not be one that looked at its object: compare *The
# truth*.
#
# Say first what you expect, then try it, then unfold the lines under the figure: they give what the library
# itself answers to each of these on the clip that is shown. There the brush has set the map to 0 wherever the
# truth covers half of a cell.
#
# ## How to read it
#
# A fall shows *dependence*: what follows the fusion has learned to work with $M_s$ as it is. It does
# not show that $M_s$ marks the right thing. A network may mark the object by *low* values, and its
# answers then depend on $M_s$ just as much. Whether the map lies where it should is asked of the truth,
# at the end of [Table 2](results_table2.ipynb) (for [a set with a known fault](results_fault.ipynb) on
# its own page), and there the small network's maps are far from the
# paper's pictures.
#
# Nor need there be a fall. In the set with a fault, where the sign misleads:

# %%
Markdown(fault_tables.inverted_in_words())

# %% [markdown]
# Where this is a gain, a likely reason is that $M_s$ was high on the sign; [that page](results_fault.ipynb)
# says what is known of it.

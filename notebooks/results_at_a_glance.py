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
# # Results at a glance
#
# *Hardware: any laptop, no training here, a few seconds.*
#
# **What was found, in two minutes.** Each finding links to the page that it comes from. All numbers
# are read from run records when the book is built. Unless said, they are about **synthetic** clips, a small network and
# **stand-in** edits, which are the set's own truth. p-values are corrected for the comparisons of arms in the same
# measure (Holm), unless a sentence says that they are not; differences are taken before rounding. *Without edits* means the **control**: the same network, trained as long on the same
# clips, without the loss that reads edits. The [glossary](../book/glossary.md) has the other words.
#
# **What the paper claims, and what our records show of it:**

# %% tags=["remove-input"]
from IPython.display import HTML, Markdown

from stabn.figures import seeds_figure
from stabn.tables import (
    fault,
    fault_tables,
    footage,
    footage_mended,
    glance,
    plain,
    rankings,
    sweeps,
)

HTML(glance.claims())

# %% [markdown]
# The two sets differ, and so does the size of the networks: a *no* here does not refute the paper.
# Could our five seeds have shown such an effect? The pages of Tables 1 and 2 answer for the first claim, and
# for the paper's gain over the classes whose videos were edited. For the third it is not computed.

# %% [markdown]
# **Does attention make the network better?** [Table 1](results_table1.ipynb)

# %% tags=["remove-input"]
Markdown(glance.attends())

# %% [markdown]
# **Does $M_t$ learn what edits say?** [Table 2](results_table2.ipynb)

# %% tags=["remove-input"]
Markdown(glance.edits_reach_attention())

# %% [markdown]
# **Do the answers follow, on the plain set?** [Table 2](results_table2.ipynb)

# %% tags=["remove-input"]
Markdown(glance.answers_follow())

# %% [markdown]
# **Can edits mend a known fault?** We put a fault into a set of clips: a round sign with moving stripes
# stands in the picture while nothing happens. In most training clips the stripes move in the way that
# goes with the right class, in the others in the way of the class that it is confused with. So a network
# can learn to read the sign and not the action. [The page on the fault](results_fault.ipynb) shows such
# clips. We ask how many points the sign decides: accuracy where it is right minus accuracy where it
# misleads, in the same scenes.

# %% tags=["remove-input"]
Markdown(glance.sign_relied_on())

# %% tags=["remove-input"]
values = fault.by_seed(glance.WAY, fault.reliance)
print(glance.reliances_in_words())
seeds_figure(values, "points that the sign decides") if any(values.values()) else None

# %% tags=["remove-input"]
Markdown(glance.fault_mended())

# %% [markdown]
# A network that gives up a shortcut must lose where the shortcut holds. And on the plain set, where nothing is
# broken?

# %% tags=["remove-input"]
Markdown(plain.price_in_words())

# %% [markdown]
# So the gate is for networks whose attention shows a fault, and for edits that were checked. And without a
# gate that closes?

# %% tags=["remove-input"]
Markdown(glance.fault_left())

# %% [markdown]
# Why: edits teach $M_t$ in each of these ways. But in the paper's fusion a frame of weight 0 still
# speaks through the spatial half, and in the gated one a weight of 0.15 lets through what later layers
# make large again. A gate that is shut up to 0.3 takes "hardly" for "no".

# %% [markdown]
# **How few edits are enough, and how exact must they be?** [The page on edits](results_sweeps.ipynb): the same
# fault and the same gate, other networks of the same seeds.

# %% tags=["remove-input"]
Markdown(" ".join(map(sweeps.reliance_in_words, ("share", "noise"))))

# %% [markdown]
# **Does the network depend on its $M_s$?** [Table 3](results_table3.ipynb)

# %% tags=["remove-input"]
Markdown(glance.inverted())

# %% [markdown]
# So turning $M_s$ round costs on the plain set, and can help where a sign misleads. The second is no proof
# that $M_s$ looked at the sign, but would follow if it did: what was high on the sign is then low.

# %% [markdown]
# **Is a network's own attention its best explanation?** [All on the same clips](19_all_on_the_same_clips.ipynb) compares
# networks with attention, and what explains them after the fact:

# %% tags=["remove-input"]
Markdown(rankings.own_attention())

# %% [markdown]
# What only a network's own attention can: be edited.

# %% [markdown]
# **And where a camera looked?** [On real footage](21_on_real_footage.ipynb), whose timing we constructed:

# %% tags=["remove-input"]
told = [footage.flips_in_words(), *map(footage_mended.mended_in_words, footage_mended.FAULTS)]
Markdown("\n\n".join(told))

# %% [markdown]
# ## What is not measured
#
# - **Real videos.** The paper's accuracies on Something-Something v2 are quoted, and not reproduced.
#   [Chapter 21](21_on_real_footage.ipynb) looks at real footage, but its timing is constructed.
# - **People.** Every edit in the tables above is the truth written down. Real edits have errors, and errors
#   with a habit; [the page on edits](results_sweeps.ipynb) tries random ones, and those of one hand.
# - **Other faults.** One fault was built on purpose, in one set. How common such faults are is unknown.
# - **Other sizes.** One small network, five seeds an arm at most.
#
# And one caution about the fault, from its records:

# %% tags=["remove-input"]
Markdown(fault_tables.counted_in_words())

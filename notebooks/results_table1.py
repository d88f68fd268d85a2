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
# # Table 1: the paper's accuracies beside ours
#
# *Hardware: any laptop, no training here, a few seconds.*
#
# **The question.** Does an attention branch make a 3-D ResNet more accurate? The paper's Table 1 says
# yes, on Something-Something v2: by 7.2 points with 32 frames, by 0.3 with 32×2. Below, its numbers
# stand in columns of their own, as printed. Ours are read from run records, and every one of them
# links to the record that it comes from. Where there is no record there is a dash, and beneath the
# table the command that would fill it.

# %% tags=["hide-input"]
from IPython.display import HTML, Markdown

from stabn import tables
from stabn.figures import seeds_figure
from stabn.tables.comparison import arm_values
from stabn.tables.varying import your_number

# %% [markdown]
# ## Something-Something v2
#
# "32" is one clip of 32 frames. "32×2" is, in the paper's words, two sets of 32 frames, one from each
# half of the video; in the published code it is one clip at stride 2. The commands below follow the
# words, and a file of parameters for the code's reading lies beside theirs. CPNet's and DFB-Net's
# accuracies are the same in the paper, to the digit.

# %%
HTML(tables.real_table())

# %% [markdown]
# ## mini-SSv2, synthetic
#
# These videos are drawn by a program, so nothing here can be set beside the paper's accuracies. The
# comparison *within* the table is what counts. Three networks learn from the same clips in the same
# order, each from the same neutral start:
#
# - the **3-D ResNet** is the plain backbone;
# - the **matched control** is the whole ST-ABN, with all its parameters and both its losses, but its
#   attention is held constant, so that it has nothing to attend with (Table 2's *control* is another
#   network: it attends, and is trained on without edits);
# - **ST-ABN** attends.
#
# The difference to the plain backbone is what the paper measures. The difference to the matched control is
# what attention itself is worth: a second loss and more parameters could help without any attention.

# %%
HTML(tables.mini_table())

# %%
study = tables.study()
print(tables.provenance(study))

# %% [markdown]
# The study was run once and its records are kept with the book. This build's own run is a single
# seed: it shows that the pipeline works on this machine, and is too little to compare networks with.
#
# **Why your number differs from the study's seed 0.** Seed and data are the same. The records name three
# things that are not: the *start* (the study trained its own pretext and kept no copy; a build takes the
# one that comes with the book), the *commit* (since the study, convolutions add in another order), and
# the *decoder* (decord then, PyAV now). The records do not say how many threads a process had, nor which
# instructions its processor used; both change the order of sums, and so the rounding. We have not measured
# what each of these does alone. Training makes small differences large, so count on a difference at
# least as large as between two seeds. For accuracy that is a point or two. For $M_t$'s agreement with the
# truth it is nearly the whole range. The difference can be larger, too: the study's seeds all share one
# start, and a build has another. Look at $M_s$'s peak:

# %%
for whose, runs in {"study": study, "this build": tables.own()}.items():
    attending = [run for run in runs if run.arm == "st_abn"]
    for run in attending:
        peak, when = (run.results[name]["value"] for name in ("pointing", "rank_correlation"))
        print(
            f"{whose}, seed {run.seed}: top-1 {100 * run.results['top1']:.1f}, "
            f"M_t's rank correlation {when:.2f}, M_s's peak on actor or hand {peak:.2f}"
        )
    made = {f"start {r.config['weights']}, commit {r.record['code']['commit']}" for r in attending}
    for one in sorted(made):
        print(f"   {one}")

# %% [markdown]
# ## Is the difference more than luck?
#
# Two networks trained from the same seed share their clips, their order and their augmentation, so
# seeds are compared pair by pair.

# %%
names = {"baseline": "3-D ResNet", "control": "matched control", "st_abn": "ST-ABN"}
by_seed = {
    name: {seed: value for (seed, _), value in arm_values(study, arm).items()}
    for arm, name in names.items()
}
for name, values in by_seed.items():
    print(f"{name}: {', '.join(f'{v:.1f}' for v in values.values()) or 'no record'}")
seeds_figure(by_seed) if any(by_seed.values()) else None

# %%
print(your_number(study, by_seed))

# %%
HTML(tables.paired_table())

# %% [markdown]
# In words, which are computed from the p-values as the table is:

# %%
Markdown(tables.findings(study))

# %% [markdown]
# Would this study have *seen* a gain like the paper's largest, ResNet-50 with 32 frames? The seeds'
# differences say how much luck there is in one of them, and from that follows how many studies of five
# seeds would show such a gain:

# %%
HTML(tables.power1())

# %% [markdown]
# The last columns say whether a gain of the paper's size could have stayed hidden on this set. A much
# smaller one could, as the second column of figures says. Five seeds know their own luck only roughly, and real videos have theirs.

# %% [markdown]
# The t-test asks whether the mean difference over seeds could be zero, for networks trained like
# these on *this* set of clips. It does not say that the difference would be as large on other videos,
# and least of all on real ones.

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
# # Figure 3: where and when the network looked
#
# *Hardware: any laptop, no training here, under a minute.*
#
# **The question.** The paper's Figure 3 shows two videos with their attentions and lets the reader
# judge. Here is the same picture for clips whose truth is known, and then the judgement in numbers.

# %% tags=["hide-input"]
from pathlib import Path
from tempfile import TemporaryDirectory

from IPython.display import HTML

from stabn import tables
from stabn.data.mini.make import example
from stabn.data.video import write_video
from stabn.explain import explain
from stabn.training.checkpoint import load_trained

# %%
trained = load_trained("mini_st_abn")
print("weights:", trained.origin)

# %% [markdown]
# Each clip is drawn now, from source images that no training clip uses, written as a webm file, and
# read back as any other video would be. The clips are not chosen for their looks: they are the first
# that the seed gives for three classes named beforehand.


# %%
def figure_3(class_id: int):
    """The paper's Figure 3 for a fresh synthetic clip of one class, with its truth."""
    clip = example(class_id, seed=2022, split="validation")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.webm"
        write_video(path, clip.frames, fps=12)
        explanation = explain(path, trained, top=3)
    print(f"“{clip.caption}” · {explanation.words()}")
    return explanation.figure(
        levels=clip.levels[explanation.frame_indices], truth=trained.classes[class_id]
    )


# %%
figure_3(0)

# %%
figure_3(5)

# %%
figure_3(10)

# %% [markdown]
# **How to read it.** Above each frame stands its place in the video. $M_t$ is one weight a frame; the
# row below holds the truth (1 the motion that makes the class, 0.5 what leads to it and away from it,
# 0 the rest). $M_s$ lies over the frame in grey, with a cross at its peak. The colours are the raw
# values on one scale from 0 to 1, the same for every clip: no map is stretched to its own range, and
# the range is written under it.
#
# ## From looking to measuring
#
# Three pictures can show anything. Over the whole validation split, the truth allows these numbers,
# each beside the level that attention without knowledge reaches. Rank correlation asks whether frames
# with motion get more weight than those without (chance: 0). The last two ask how much of $M_s$ lies
# on the acting object or the hand, in frames with motion (chance: that region's share of the area).

# %%
HTML(tables.attention_table())

# %% [markdown]
# Read the rank correlation with care. Its chance level of 0 is that of weights without any order, and
# a habit such as "the middle of the clip matters" does far better than that.
#
# **The rule:** above the truth of other clips, $M_t$ follows its own clip; only above a fixed curve too
# does it show more of *when* than habit does. The second row is the truth of other clips. The records
# hold no fixed curve, so what lies above one cannot be read here: chapters [9](09_mini_ssv2.ipynb) and
# [12](12_reading_attention.ipynb) print this build's $M_t$ and a fixed curve side by side, and say what
# they show.
#
# A network can mark a thing by low values of $M_s$ as well as by high ones, so a figure of
# $M_s$ below chance would not show that it is wrong.
#
# The study's seeds lie close together in $M_s$ and far apart in $M_t$. One build's network can lie outside
# their spread in both: it has another start than they all share, and another commit. [Table
# 1](results_table1.ipynb) has the figures of every seed, and says under *Why your number differs* what is
# known of the causes.
#
# These are synthetic videos and a small network. What the numbers show is that the two attentions
# *can* be checked, and how they fare here. For real videos nobody has such a truth, which is why the
# paper shows pictures.

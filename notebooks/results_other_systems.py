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
# # The other systems: published accuracies beside ours
#
# *Hardware: any laptop, no training here, a few seconds.*
#
# **The question.** Two other systems of this book put attention into video classification: an LSTM in
# both directions behind an ImageNet network, with attention over *time*, and a convolutional LSTM with
# attention over *places*. What did their authors measure, and what do we? Every row that they published
# stands below, as printed. Ours are read from run records. Where there is no record there is a dash,
# and beneath the table the command that would fill it: the sets are their publishers', and have to be
# fetched first.

# %% tags=["hide-input"]
from IPython.display import HTML

from stabn.tables.other_systems import SETS, sources, system_table

# %%
for name in SETS:
    print(f"{name}: {sources(name)}")

# %% [markdown]
# ## CNN, bi-LSTM and attention over time: UCF-101
#
# "VGG16 + LSTM + attention" has the attention *after* the LSTM, "VGG16 + attention + LSTM" *before* it.

# %%
HTML(system_table("ucf101"))

# %% [markdown]
# Before you compare, know how the published numbers came about, as the authors' code shows:
#
# - **Test and training share their scenes.** UCF-101's clips were cut from longer videos, a few from each.
#   The authors divided all clips at random, 70 to 30, so a test clip has sisters in the training set that
#   show the same people in the same place. The official lists keep such groups together. So we have two
#   columns; only the first says what the network does with new videos.
# - **The test set chose the network.** The epoch that is reported is the best one on the test clips.
# - **Blue and red were exchanged.** Frames went in as BGR where the networks were trained on RGB.
# - **Filled-up frames counted.** Short videos were filled up with zeros, and attention could fall there.
#
# ## The same on Sports-1M
#
# The authors took the videos under 20 seconds of 99 sports. Many are no longer to be had, so the set
# cannot be the same.

# %%
HTML(system_table("sports1m99"))

# %% [markdown]
# ## Convolutional LSTM and attention over places: HMDB-51
#
# The report took ten of the 51 actions. Its accuracy counts *frames*: the network names a class at every
# step, and each is compared with the video's class. Our second column counts videos, by the mean of the
# steps' probabilities.

# %%
HTML(system_table("hmdb51"))

# %% [markdown]
# ## How to read it
#
# The published differences between rows are single runs, without a spread over seeds; a row that is a point
# better than another may be luck. Those between backbones are too large for that, and still say little:
# ResNet-50 and Xception, stronger than VGG on ImageNet, are at 25 % where VGG is at 91 %. We have not
# found why. Of what the authors' code does, one thing would hurt them more than VGG: wrongly prepared
# input, as each of these networks wants its own.

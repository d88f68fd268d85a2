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
# # The organiser's page
#
# Who has done what, how far they agree, and three buttons: look again, export the edits, make a backup.
# `make annotate` serves it beside the annotators' page, on another port and behind another token. It
# only reads, but for the files that it writes beside the store.
#
# The settings are those of the annotators' page.

# %%
import os
from pathlib import Path

import stabn
from stabn.knowledge.app.organiser import organise

os.chdir(os.environ.get("STABN_HOME", Path(stabn.__file__).parents[1]))
organise(
    os.environ.get("STABN_STORE", "runs/mini_st_abn/edits.sqlite"),
    os.environ.get("STABN_QUEUE", "runs/mini_st_abn/queue"),
)

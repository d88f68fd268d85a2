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
# Who has done what, how far they agree, who may be careless; any video with everybody's levels; whose
# word counts; exports and backups. `make annotate` serves it beside the annotators' page, on another
# port and behind another token. What is set aside here stays in the store: it is not counted.
#
# The settings are those of the annotators' page. `VOILA_BASE_URL` is the page's path where it is
# served, and files can be downloaded.

# %%
import os
from pathlib import Path

import stabn
from stabn.knowledge.app.organiser import organise

os.chdir(os.environ.get("STABN_HOME", Path(stabn.__file__).parents[1]))
organise(
    os.environ.get("STABN_STORE", "runs/mini_st_abn/edits.sqlite"),
    os.environ.get("STABN_QUEUE", "runs/mini_st_abn/queue"),
    served_at=os.environ.get("VOILA_BASE_URL", ""),
)

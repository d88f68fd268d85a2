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
# # The annotators' page
#
# This notebook is the page that people see who correct the network's attention and do not code. It is
# served with
#
# ```bash
# make annotate
# ```
#
# or, with settings of your own, `stabn annotate --help`. Every visitor gets a kernel
# that runs the cell below and nothing else; the prose you are reading is left out there. Opened in
# JupyterLab it works just as well, for one person, on the queue of `runs/mini_st_abn`.
#
# Settings come from environment variables, which the command sets: `STABN_QUEUE` is the folder of the
# queue, `STABN_STORE` the file or database of the edits, `STABN_OVERLAP` how many annotators are given
# the same video, `STABN_GUIDELINES` a file that says what the levels mean where videos are other than
# Something-Something's, `STABN_HOME` the folder from which relative paths count (else the repository's).
# `QUERY_STRING` is what follows the address's question mark; `name` in it is the visitor's.

# %%
import os
from pathlib import Path
from urllib.parse import parse_qs

import stabn
from stabn.knowledge.app.annotator import annotate

asked = parse_qs(os.environ.get("QUERY_STRING", ""))
os.chdir(os.environ.get("STABN_HOME", Path(stabn.__file__).parents[1]))
annotate(
    os.environ.get("STABN_STORE", "runs/mini_st_abn/edits.sqlite"),
    os.environ.get("STABN_QUEUE", "runs/mini_st_abn/queue"),
    overlap=int(os.environ.get("STABN_OVERLAP", "1")),
    guidelines=os.environ.get("STABN_GUIDELINES", ""),
    name=asked.get("name", [""])[0],
)

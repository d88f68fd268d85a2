# Two commands: `make book` builds everything, `make test` checks it. `make help` lists the rest.

PYTHON ?= python3
ARGS ?=
QUEUE ?= runs/mini_st_abn/queue
STORE ?=
SEEDS ?= 0 1 2 3 4
# The environment is made again only when what it is made from changes: the hash is in the marker's name.
READY := .venv/.ready-$(shell cat requirements.txt pyproject.toml | cksum | cut -d' ' -f1)
PY := .venv/bin/python
# Idle torch threads sleep: spinning ones take the cores from whatever else runs (measured: 8 times slower).
export OMP_WAIT_POLICY = passive

.DEFAULT_GOAL := help
.PHONY: help env book test check lint browser slurm nginx lab annotate study pretext tables bench gpu soak sync picture screens dist pdf clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1	/' | expand -t 18

env: $(READY)  ## make the environment (.venv) from requirements.txt

$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; try: make book PYTHON=python3.11"; exit 1; }
	@echo "▶ environment: .venv from requirements.txt (about 2 GB of wheels, a few minutes)"
	@start=$$(date +%s); mkdir -p _build/steps \
	  && $(PYTHON) -m venv .venv \
	  && $(PY) -m pip install --disable-pip-version-check --progress-bar off -r requirements.txt \
	  && $(PY) -m pip install --disable-pip-version-check --quiet --no-deps -e . \
	  && rm -f .venv/.ready-* && touch $@ \
	  && printf '{"step": "environment", "seconds": %d, "peak_mib": null, "finished": "%s"}\n' \
	       $$(( $$(date +%s) - start )) "$$(date -u +%Y-%m-%dT%H:%M:%SZ)" > _build/steps/environment.json

book: $(READY)  ## build the book: data, training, chapters, pages (a second run redoes only what changed; QUICK=1 trains nothing)
	@$(PY) -m tools.build $(if $(filter-out 0,$(QUICK)),quick_book,book)

# A file a worker at a time: what a file's tests share is made once. The order is tests/conftest.py's.
SIDE_BY_SIDE := -n auto --dist loadfile --no-loadscope-reorder

test: $(READY) browser slurm nginx  ## run every test, the pages in a headless browser included (after `make book`)
	@$(PY) -m tools.steps tests -- $(PY) -m pytest $(SIDE_BY_SIDE) $(ARGS)

check: lint  ## while working: lint, layers, pairs and the tests that need no book, browser or cluster
	@$(PY) -m pytest $(SIDE_BY_SIDE) -m 'not slow' $(ARGS)

lint: $(READY)  ## style and likely mistakes of every Python file
	@$(PY) -m ruff check --quiet . && $(PY) -m ruff format --check --quiet .

browser: $(READY)  ## find a Chromium for the tests of pages, or fetch one
	@$(PY) -m tools.browser

slurm: $(READY)  ## find a Slurm for the tests of the job script, or fetch one
	@$(PY) -m tools.slurm

nginx: $(READY)  ## find an nginx for the test of the pages behind it, or fetch one
	@$(PY) -m tools.nginx

lab: $(READY)  ## open the chapters in JupyterLab
	$(PY) -m jupyter lab notebooks

annotate: $(READY)  ## serve the annotators' and the organiser's pages (QUEUE=folder STORE=file or URL; else beside the queue)
	@$(PY) -m stabn annotate --queue $(QUEUE) $(if $(STORE),--store $(STORE)) $(ARGS)

study: $(READY)  ## repeat the launch notebooks over seeds and arms (hours; resumable), write book/results/
	@SEEDS="$(SEEDS)" $(PY) -m tools.build study

pretext: $(READY)  ## make book/assets/mini_pretext.pt again, what the small networks start from
	@$(PY) -m tools.build pretext

tables: $(READY)  ## fill Tables 1 to 3 from the runs on Something-Something v2 that have finished
	@$(PY) -m stabn promote --finished
	@mkdir -p _build/tables
	@for n in 1 2 3; do \
	  $(PY) -m papermill notebooks/results_table$$n.ipynb _build/tables/table$$n.ipynb --cwd notebooks -k python3 \
	    --no-progress-bar --log-level WARNING \
	  && $(PY) -m nbconvert --log-level WARN --to html --no-input _build/tables/table$$n.ipynb \
	  && echo "_build/tables/table$$n.html" || exit 1; done

SEED = 0
soak: $(READY)  ## kill training at 20 random moments and compare its end (a quarter of an hour); SEED=1 for others
	@$(PY) -m tests.soak.kills --kills 20 --seed $(SEED) --record book/results/soak/kills_$(SEED).json

bench: $(READY)  ## measure the targets of speed, then run the other benchmarks, each against a peer
	@$(PY) -m benchmarks all $(ARGS)
	@for name in annotators encoders kinds loader rescoring_cost store_throughput training_step; do \
	  echo "▶ $$name"; $(PY) benchmarks/$$name.py || exit 1; done

gpu: $(READY)  ## measure the full-size networks on this machine's GPU (under ten minutes, resumable), write _build/gpu.json
	@$(PY) benchmarks/gpu.py $(ARGS)

sync: $(READY)  ## write the .ipynb beside each notebooks/**/*.py again (cell ids are kept)
	@$(PY) -m tools.pairs

picture: $(READY)  ## take the README's picture from the built book
	@$(PY) -m tools.picture

screens: $(READY)  ## take chapters 13's and 15's pictures of the editor and of both pages, after `make book`
	@$(PY) -m tools.screens

dist: $(READY)  ## zip the built book for people who only read
	@$(PY) -m tools.dist

pdf: $(READY) browser  ## print the built book as one PDF
	@$(PY) -m tools.pdf

clean:  ## remove what `make book` made (not .venv, not runs of your own)
	rm -rf _build data/mini data/mini_prepared runs/mini_pretext runs/mini_baseline runs/mini_st_abn runs/mini_finetune

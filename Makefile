# Every task of a day's work on Isocenter. Needs make, git and Python 3.11 or later.
#   make run ARGS="--port 4242"      make test PYTEST="-k echo"      make bench ARGS=--quick
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help run install lint test prove interop soak fuzz bench lock clean
.DELETE_ON_ERROR:

help: ## list these tasks
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(VENV)/.installed ## start a node on this machine: AE title ISOCENTER, port 11112
	@$(BIN)/isocenter serve $(ARGS)

install: $(VENV)/.installed-test ## make .venv with everything that run, test and bench need

lint: $(VENV)/.installed-test ## style, types and layering
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## lint, then every test that ends within seconds
	@tools/peers
	$(BIN)/python -m pytest $(PYTEST)

prove: $(VENV)/.installed-test ## the longer proofs: kill loops, big objects, many examples
	@tools/peers
	$(BIN)/python -m pytest -m slow $(PYTEST)

interop: $(VENV)/.installed-test ## other people's programs against ours, both ways: docs/interop.md, proofs.json
	@tools/peers
	$(BIN)/python -m pytest tests/interop -p tests.interop.matrix.plugin \
	  --interop-document docs/interop.md \
	  --interop-record src/isocenter/conformance/data/proofs.json $(PYTEST)

soak: $(VENV)/.installed-test ## 64 associations of mixed work for ten minutes (ARGS="--minutes 1")
	@tools/peers
	@$(BIN)/python -m tests.soak $(ARGS)

fuzz: $(VENV)/.installed-test ## ten million executions of everything that reads untrusted bytes
	@$(BIN)/python -m fuzz $(ARGS)

bench: $(VENV)/.installed-test ## ingest and retrieve, side by side with DCMTK, pynetdicom and Orthanc
	@$(BIN)/python -m bench $(ARGS)

lock: ## write the lock files anew (ARGS=--upgrade for newer versions)
	@PYTHON=$(PYTHON) tools/lock $(ARGS)

clean: ## remove what make has made (never isocenter-data)
	rm -rf $(VENV) .make dist tests/interop/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: requirements.lock pyproject.toml
	@tools/install $(PYTHON) $(VENV) $<
	@touch $@

# The test lock holds everything that the other one does, in the same versions.
$(VENV)/.installed-test: requirements-test.lock requirements.lock pyproject.toml
	@tools/install $(PYTHON) $(VENV) $<
	@touch $(VENV)/.installed $@

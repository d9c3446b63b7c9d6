# make demo and make test are each the only command that a fresh clone needs.
# Which index pip takes packages from, and so which build of torch, is left to pip's own settings.

PYTHON ?= python3
MINUTES ?= 20
JOBS ?= 2

BIN := .venv/bin
READY := .venv/.ready
CACHES := .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: demo demo-cluster serve test check bench chaos chaos-cluster soak models clean

# One plain command each, so that make starts it without a shell: Ctrl-C reaches it once.
demo: $(READY)
	@$(BIN)/failsoft demo

# Two at a time: much of what the tests do is to wait for processes.
test: $(READY)
	@$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src tests
	$(BIN)/lint-imports
	$(BIN)/pytest tests/service/http/conformance.py
	$(BIN)/python -m bench guard

bench: .venv/.bench-ready
	@$(BIN)/python -m bench

# The same on a Ray cluster: three nodes on this machine, of which one is killed.
demo-cluster: $(READY)
	@$(BIN)/failsoft demo --cluster

# A small tree on port 8000, until Ctrl-C.
serve: $(READY)
	@$(BIN)/failsoft serve

# Hundreds of worker processes are killed; a few minutes. The seed is printed.
chaos: $(READY)
	@$(BIN)/python -m bench storm

# The same on a Ray cluster of this machine: keepers, actors, the driver and nodes are killed, too.
chaos-cluster: $(READY)
	@$(BIN)/python -m bench storm --cluster

# A service under mixed traffic and faults, for so long: nothing is lost, and nothing grows.
soak: $(READY)
	@$(BIN)/python -m bench soak --minutes $(MINUTES)

# Trains the models of gpu/tiny anew, from nothing, and measures them: under an hour on two cores.
models: $(READY)
	@$(BIN)/python -m training
	@$(BIN)/python -m training evaluate

clean:
	rm -rf .venv build dist src/failsoft.egg-info $(CACHES)
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.bench-ready: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

# The stamp is gone while pip works. A .venv without it is half-made, and is made anew.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null || { echo \
	  "failsoft needs Python 3.11 or newer, and '$(PYTHON)' is not: name one, as in make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
	  "'$(PYTHON)' lacks the venv module: install it (on Debian and Ubuntu: the package python3-venv)" >&2; exit 1; }
	test -e $@ || $(PYTHON) -m venv --clear .venv
	rm -f $@
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

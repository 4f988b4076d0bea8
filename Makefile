# Needs Python 3.11 or later, make and git; everything else goes into .venv-*.

PYTHON ?= python3
# Passed on, for example: make demo ARGS="--quick", make test ARGS="-k rbig"
ARGS ?=

# What each virtual environment holds: the extras of pyproject.toml.
EXTRAS_demo = demo
EXTRAS_test = test
EXTRAS_docs = docs

.PHONY: help demo test localized fuzz docs lint clean
# Two installations at once would write to the same egg-info.
.NOTPARALLEL:

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST))

demo: .venv-demo/installed ## run the main job, python -m benchmarks; results/ holds what it finds
	.venv-demo/bin/python -m benchmarks $(ARGS)

# The workers fill the cores; BLAS threads on top of them would only slow them down.
test: export OMP_NUM_THREADS = 1
test: .venv-test/installed ## run the tests and the examples in docstrings
	.venv-test/bin/python -m pytest -n auto $(ARGS)

localized: export OMP_NUM_THREADS = 1
localized: .venv-test/installed ## kill fits and workers, and fit what is not in memory
	.venv-test/bin/python -m benchmarks localized $(ARGS)

fuzz: export OMP_NUM_THREADS = 1
fuzz: .venv-test/installed ## search hostile tables for an hour; prints what breaks
	.venv-test/bin/python -m tests.fuzz.search --minutes 60 $(ARGS)

docs: .venv-docs/installed ## build the site in docs/_build/html
	.venv-docs/bin/python -m sphinx -W --keep-going docs docs/_build/html $(ARGS)

lint: .venv-test/installed ## check format, style and types
	.venv-test/bin/python -m ruff format --check
	.venv-test/bin/python -m ruff check
	.venv-test/bin/python -m mypy

clean: ## remove environments, builds, caches and results
	rm -rf .venv-demo .venv-test .venv-docs build dist *.egg-info results
	rm -rf docs/_build docs/api/generated docs/gallery docs/sg_execution_times.rst
	rm -rf .pytest_cache .mypy_cache .ruff_cache destructors/kernels
	find destructors benchmarks tests docs -name __pycache__ -prune -exec rm -rf {} +

# The stamp is newer than the requirements: a second run installs nothing. The package
# itself is linked, not copied, so changes to it need no installation.
.venv-%/installed: pyproject.toml setup.cfg setup.py
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python -m pip install --disable-pip-version-check --editable ".[$(EXTRAS_$*)]"
	touch $@

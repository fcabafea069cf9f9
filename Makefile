# Everything runs in an environment of its own, .venv, made on first use and again only when pyproject.toml changes.
.PHONY: install demo test test-figures test-symbolic test-pages test-torch docs bench accuracy compare gallery clean

BIN := .venv/bin
PYTHON ?= python3
# Dozens of tests start the command anew, and each would compile all that it loads.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A worker for each processor, and one thread of linear algebra for each worker. They take tests in order and steal from
# one another at the end: most files stay whole, and what their tests share is computed once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal

install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --editable .
	touch $@

# What tests load is compiled as they load it, the rest not at all. The pip that comes with an older Python takes twice
# as long to choose among all the wheels there are.
.venv/installed-test: pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --no-compile --upgrade pip
	$(PIP) install --no-compile --editable '.[test]'
	touch $@

# A build of torch, data to train on, what runs its models elsewhere, models that others wrote, and the frameworks that
# code is written for.
.venv/installed-torch: .venv/installed-test
	$(PIP) install --no-compile 'torch==2.13.0' scikit-learn onnxruntime onnxscript jax flax keras torchvision timm
	touch $@

.venv/installed-bench: .venv/installed
	$(PIP) install --editable '.[bench]'
	touch $@

.venv/installed-docs: .venv/installed
	$(PIP) install --no-compile --editable '.[docs]'
	touch $@

# Others that compute the same, in an environment of their own: one of them brings JAX and TensorFlow.
.venv-compare/installed: pyproject.toml benchmarks/peers.txt
	$(PYTHON) -m venv .venv-compare
	.venv-compare/bin/python -m pip --disable-pip-version-check --quiet install --editable . -r benchmarks/peers.txt
	touch $@

demo: install
	$(BIN)/meanfield eoc --act soft-threshold --tau 0.5

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict --num-workers 2 meanfield
	# The order of the rooms, and no circle.
	$(BIN)/lint-imports
	$(PYTEST) --ignore tests/plot --ignore tests/symbolic --ignore tests/pages --ignore tests/torch --ignore tests/training

# Every figure, drawn and compared with the stored ones.
test-figures: .venv/installed-test
	$(PYTEST) tests/plot

# Formulas with parameters as symbols, against the definitions: every derivation proved.
test-symbolic: .venv/installed-test
	$(PYTEST) tests/symbolic

# Every command that a help or a page shows, as it is printed there.
test-pages: .venv/installed-test
	$(PYTEST) tests/pages

# What needs torch, an extra, and training, which needs scikit-learn too.
test-torch: .venv/installed-torch
	$(PYTEST) tests/torch tests/training

# The site, in docs/_build/index.html.
docs: .venv/installed-docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build

bench: .venv/installed-bench
	$(BIN)/pytest -q -s benchmarks

accuracy: .venv/installed-bench
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/smooth.py
	$(BIN)/python benchmarks/finite_width.py
	$(BIN)/python benchmarks/simulation.py

# Measures meanfield and its peers, prints the tables of docs/comparison.md, and writes them there.
compare: .venv-compare/installed
	OMP_NUM_THREADS=1 .venv-compare/bin/python benchmarks/compare.py

# Every command of the page, as it stands there.
gallery: install
	cd docs/gallery && grep '^meanfield' README.md | PATH="$(abspath $(BIN)):$$PATH" sh -ex

clean:
	rm -rf .venv .venv-compare .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks dist

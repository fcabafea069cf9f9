# Everything runs in an environment of its own, .venv, made on first use and again only when pyproject.toml changes.
.PHONY: install demo test test-figures test-symbolic test-pages test-torch test-lowest docs dist bench accuracy compare gallery clean

BIN := .venv/bin
PYTHON ?= python3
# Dozens of tests start the command anew, and each would compile all that it loads.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A worker for each processor, and one thread of linear algebra for each worker. They take tests in order and steal from
# one another at the end: most files stay whole, and what their tests share is computed once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal
# Those that need torch; what a page shows is run.
TORCH_PAGES := README.md $(addprefix docs/,start.md torch.md training.md experiments.md \
    $(addprefix guides/,convolutions.md other-networks.md) $(addprefix tutorials/,pytorch.md papers.md))

# Tests that have no target of their own.
WITHOUT_EXTRAS := $(foreach room,plot symbolic pages torch training,--ignore tests/$(room))

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
	$(PYTEST) $(WITHOUT_EXTRAS)

# Every figure, drawn and compared with the stored ones.
test-figures: .venv/installed-test
	$(PYTEST) tests/plot

# Formulas with parameters as symbols, against the definitions: every derivation proved.
test-symbolic: .venv/installed-test
	$(PYTEST) tests/symbolic

# Every command that a help or a page shows, as it is printed there. Blocks of a page go on with what those before them
# made, so that a worker takes a whole page.
test-pages: .venv/installed-test
	$(PYTEST) tests/pages
	$(PYTEST) --dist loadfile docs --ignore docs/_build $(addprefix --ignore ,$(TORCH_PAGES))

# What needs torch, an extra, and training, which needs scikit-learn too.
test-torch: .venv/installed-torch
	$(PYTEST) tests/torch tests/training
	$(PYTEST) --dist loadfile $(TORCH_PAGES)

# The same tests with the lowest versions that pyproject.toml allows, and what they then stood on.
test-lowest: .venv/installed-test
	$(PIP) install --no-compile uv
	$(PYTHON) -m venv .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[test]' 'click==8.2.1' 'pyparsing==3.2.5'
	OMP_NUM_THREADS=1 .venv-lowest/bin/python -m pytest -n auto --dist worksteal $(WITHOUT_EXTRAS)

# The site, in docs/_build/html/index.html.
docs: .venv/installed-docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build/html

# What is released, checked, installed in an empty environment, and asked once.
dist: .venv/installed-test
	$(PIP) install --no-compile build twine check-wheel-contents
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(PYTHON) -m venv dist/empty
	dist/empty/bin/pip --disable-pip-version-check --quiet install --no-compile dist/*.whl
	cd dist && empty/bin/meanfield eoc --act soft-threshold --tau 0.5
	cd dist && empty/bin/python -c "import meanfield as mf; assert round(mf.edge_of_chaos(mf.activation('gelu')).sigma_w, 6) == 1.481114"

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
	cd docs/gallery && sed -n 's/^[$$] meanfield/meanfield/p' README.md | PATH="$(abspath $(BIN)):$$PATH" sh -ex

clean:
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks dist docs/_build

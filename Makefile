# Everything a developer or a curious person needs. Only Python 3.11+, git and make have to be there;
# all else is installed into .venv inside this checkout.
#
#   make demo          see a real pipeline deployed and run, and stay up to look around
#   make demo EXIT=1   the same, then stop and clean up
#   make test          run every test
#   make check         format, lint, types, imports: what must hold before a commit
#   make conformance-newest   the conformance suite with the newest dlthub-client; reports, never fails
#   make bench         measure, with the floor beside every number

PYTHON ?= python3
EXIT ?=

BIN := .venv/bin
UV := $(BIN)/uv
# compiled bytecode makes every start of the demo and of the tests three times faster
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH VIRTUAL_ENV

.PHONY: demo test conformance-newest check format bench clean

demo: $(UV)
	@$(UV) sync --quiet --frozen --inexact --extra server --group demo
	@$(BIN)/homeport demo $(if $(EXIT),--exit)

test: dev
	@$(BIN)/python scripts/run_tests.py

conformance-newest: dev
	@$(BIN)/python scripts/newest_client.py

check: dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: dev
	@$(UV) sync --quiet --frozen --inexact --extra server --extra postgres --group dev --group bench
	@$(BIN)/python -m bench

clean:
	rm -rf .venv .demo

.PHONY: dev
dev: $(UV)
	@$(UV) sync --quiet --frozen --extra server --extra postgres --group dev

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Homeport needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check "uv>=0.8"

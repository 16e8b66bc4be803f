# Every target first brings .venv up to date, which takes no time when nothing changed.
.DEFAULT_GOAL := help
SHELL := bash
venv := .venv/bin
export PYTHONPATH := include:.
lock := --universal --python-version 3.11 --no-header --generate-hashes

.PHONY: help demo test check bench plan up down status lock audit sbom mwaa clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/.installed ## Embed and index real documents, edit some, ask a question (DEMO="--no-keep" stops the stack)
	@$(venv)/python -m dev.demo $(DEMO)

test: .venv/.installed ## Run all tests (TESTS="tests/unit -k chunk" for some)
	@$(venv)/python -m pytest $(or $(TESTS),tests)

check: .venv/.installed ## Check format, lint, SQL, types, boundaries and the fast tests
	$(venv)/ruff format --check
	$(venv)/ruff check
	$(venv)/sqlfluff lint sql
	$(venv)/mypy
	$(venv)/lint-imports --no-logo
	$(venv)/python -m dev.supply_chain audit
	$(venv)/python -m pytest -q tests/unit tests/dags

bench: .venv/.installed ## Measure against peers and limits (GROUP=quiet for some, BENCH="--documents 500" for small ones)
	@$(venv)/python -m benchmarks $(GROUP) $(BENCH)

plan: .venv/.installed ## Plan for DOCUMENTS=8000000: hours, money, machines, the bottleneck (PLAN="--scenario FILE", PLAN=--json, PLAN=--write)
	@$(venv)/python -m benchmarks.capacity $(if $(DOCUMENTS),--documents $(DOCUMENTS)) $(PLAN)

up: .venv/.installed ## Start the local stack, or what of it does not run
	@$(venv)/python -m dev.stack up

down: ## Stop every process of the local stack
	@if [ -x $(venv)/python ]; then $(venv)/python -m dev.stack down; else echo "Nothing is installed, so nothing runs."; fi

status: .venv/.installed ## Show each component of the local stack
	@$(venv)/python -m dev.stack status

# A lock that is there already is preferred to newer versions: so MWAA gets those of the tests, where its image allows them.
lock: .venv/.installed ## Resolve all versions anew into the locks, with their hashes
	@bash dev/install.sh compile $(lock) --upgrade --output-file dev/requirements.lock requirements.txt pyproject.toml --extra dev
	@bash dev/install.sh compile $(lock) --no-annotate --output-file requirements.lock \
	    --constraints dev/requirements.lock requirements.txt pyproject.toml --extra image
	@cp dev/requirements.lock dev/mwaa/requirements.lock
	@grep -v '^apache-airflow==' requirements.txt | bash dev/install.sh compile --python-version 3.12 --no-header --no-annotate \
	    --generate-hashes --constraints dev/mwaa/image.txt --output-file dev/mwaa/requirements.lock -
	@$(MAKE) --no-print-directory .venv/.installed

audit: .venv/.installed ## Look for published vulnerabilities of what the locks hold (AUDIT=--strict fails where it cannot look)
	@$(venv)/python -m dev.supply_chain audit $(AUDIT)

sbom: .venv/.installed ## Write dist/sbom.json: a CycloneDX list of what a deployment installs
	@$(venv)/python -m dev.supply_chain sbom

mwaa: .venv/.installed ## Build dist/mwaa: DAGs, plugins.zip and requirements for Amazon MWAA
	@$(venv)/python -m dev.mwaa

clean: down ## Remove the environment, all state of the local stack and every cache of the tree
	rm -rf .venv .local dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

.venv/.installed: dev/requirements.lock dev/uv.lock dev/install.sh
	@bash dev/install.sh install --compile-bytecode --require-hashes -r dev/requirements.lock
	@touch $@

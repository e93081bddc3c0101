# The two commands of a newcomer are `make demo` and `make test`; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: bench-cli bench-import bench-proxy help setup smoke demo dev test e2e check format lock docs-assets clean

# Without .pyc files every program starts two to three times slower.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
PYTEST_ARGS ?=
DEMO_ARGS ?=
SMOKE_ARGS ?=
BENCH_ARGS ?=

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Install what is missing
	@tools/setup

demo: setup ## From a YAML file to marts and pages on this machine (DEMO_ARGS=--exit ends by itself)
	@$(BIN)/hawk dev demo $(DEMO_ARGS)

dev: setup ## Start the embedded stack
	@$(BIN)/hawk dev up

test: ## Install what is missing and run every check and test
	@tools/setup --browser
	@$(MAKE) --no-print-directory check
	$(BIN)/pytest --ignore tests/e2e -n 2 --dist loadfile $(PYTEST_ARGS)
	$(BIN)/pytest tests/e2e $(PYTEST_ARGS)

e2e: setup ## Every scenario on the cluster of KUBECONFIG, with a table (see docs/how-to/run-on-a-cluster.md)
	@test -n "$(KUBECONFIG)" || { echo "Set KUBECONFIG to a cluster for tests: docs/how-to/run-on-a-cluster.md"; exit 2; }
	TEST_LONG_SCENARIOS=1 $(BIN)/pytest tests/kubernetes tests/orchestration/launchers/test_launcher_contract.py $(PYTEST_ARGS)

smoke: setup ## Walk through an instance as a user would: make smoke HAWK_API_URL=https://api.example.org (SMOKE_ARGS=--help)
	@PYTHONPATH=. $(BIN)/python -m infra.smoke $(SMOKE_ARGS)

check: setup ## Lint, types, import directions, SQL style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/macros --disable-progress-bar

format: setup ## Format Python and SQL
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix dbt_project/models --disable-progress-bar

bench-cli: setup ## Measure how fast hawk starts; ends with one line of JSON
	@$(BIN)/python benchmarks/cli/run.py $(BENCH_ARGS)

bench-import: setup ## Measure the importer against its floor; ends with one line of JSON (BENCH_ARGS="--rounds 5")
	@PYTHONPATH=. $(BIN)/python benchmarks/import/run.py $(BENCH_ARGS)

bench-proxy: setup ## Measure the LLM proxy; ends with one line of JSON (BENCH_ARGS="--requests 1000000" for memory)
	@$(BIN)/python -m benchmarks.proxy.run $(BENCH_ARGS)

lock: ## Resolve requirements.lock anew
	@tools/lock

clean: ## Stop the embedded stack and remove what was installed
	-$(BIN)/hawk dev down
	rm -rf .venv .tools

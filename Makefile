# Two commands do all the set-up: `make demo` and `make test`. Each builds .venv from the lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.built
# Programs start dozens of times in a run: what Python compiled is kept, whoever forbids it outside.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test check move bench simulate chaos beside format lock clean

# Where Python may not keep what it compiled (PYTHONDONTWRITEBYTECODE, as in many images), each of the
# programs would compile everything at its start: a third of what that costs.
COMPILE = @$(BIN)/python -m compileall -q channels engine providers simulator

demo: $(STAMP)
	$(COMPILE)
	@$(BIN)/python -m simulator demo

# The quick tests; ALL=1 for every one. Four workers beside each other on two cores: one runs the
# end-to-end tests, and mostly waits, and the others wait for their servers. WORKERS=0 for one process,
# as a debugger wants it.
test: $(STAMP)
	$(COMPILE) tests -x '/test_[^/]*$$'
	$(BIN)/pytest -n $(or $(WORKERS),4) $(if $(ALL),--all) $(TESTS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/capp menus check

# The contracts: compiled, their own tests run, their coverage counted; exit code 3 where the compiler
# cannot be had. PACKAGES="governance" for some, ONLY=part for tests whose module::name has it in it.
move: $(STAMP)
	@$(BIN)/python -m simulator move test $(PACKAGES) $(if $(ONLY),--filter $(ONLY))

bench: $(STAMP)
	$(BIN)/python -m tests.bench

# Whole worlds from a seed: SEEDS=200 for the first 200, or one again: SEED=123 TRACE=1.
simulate: $(STAMP)
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEED),1..$(or $(SEEDS),50)) \
	  --payments-per-seed $(or $(PAYMENTS),20) $(if $(TRACE),--trace) \
	  $(if $(PROCESSES),--processes $(PROCESSES)) \
	  $(if $(WITH),--with $(WITH)) \
	  $(if $(POSTGRES),--postgres)

# Real processes killed under load: CYCLES=20 for twenty blows, SEED=karibu for the same draws again.
chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos --cycles $(or $(CYCLES),100) $(if $(SEED),--seed $(SEED)) $(if $(BLOWS),--blows $(BLOWS)) $(if $(LEASE),--lease $(LEASE))

# An older version's processes and today's take turns under load: OLD=main~20, or the last of an older schema.
beside: $(STAMP)
	@$(BIN)/python -m tests.chaos.beside $(OLD)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# After a change of dependencies, with uv at hand: everything pinned with hashes, no index named, for
# every Python from 3.11.0 on; then what serving needs of it.
LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
lock:
	$(LOCK) pyproject.toml --extra dev -o requirements.lock
	echo "setuptools>=77" | $(LOCK) pyproject.toml - -c requirements.lock -o deploy/requirements.lock

clean:
	rm -rf .data $(VENV)

# The lock names every package with its hash; the project itself is installed editable, with the
# build backend of the lock, so that nothing unpinned is fetched. What pip would compile one file after
# the other is compiled on all cores, without what nobody imports: half of it.
UNREAD := /(phonenumbers/(geodata|carrierdata|tzdata)|mypyc?)/
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CAPP needs Python 3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements.lock
	$(BIN)/python -m compileall -qq -j 0 -x '$(UNREAD)' $(VENV)/lib || true
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $(STAMP)

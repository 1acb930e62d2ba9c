# make run    set everything up, then serve the portal and the example merchant (PORT=8000 changes the address)
# make test   everything the README promises, on SQLite and on PostgreSQL
# make axe    every page under axe: users' in every language, operators' in every state; `make test` takes a part
# make screens   a picture of every page, light, dark and in Arabic, in test-artefacts/screens/
# make bench  speed, beside two peers; ONLY=applyToken_code SECONDS=3 ROUNDS=1 ARGS="--no-peers --no-big" for a part
# make bench-admin  the console's lists at the size of a real super-app; SIZE=20000 users for a part
PORT ?= 8000
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN = .venv/bin
PIP = $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
       --no-emit-index-url --no-emit-find-links --no-annotate --no-header

BENCH = $(if $(ONLY),--only $(ONLY)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

NOT_USERS = .venv tests bench examples var node_modules portal/admin/* portal/console.py templates/admin/* \
            authapi/admin/* authapi/error_counts.py authapi/models.py portal/management/* portal/user_lines.py portal/user_batches.py \
            $(foreach noun,accesses consents cut_offs endings granted_scopes grants inbox ledger mass_revocations merchants mini_programs notices \
            platform_keys scope_approvals seals,portal/models/$(noun).py)

.PHONY: setup setup-dev run test axe screens bench bench-admin bench-crash words lint format lock clean

setup: .venv/runtime

setup-dev: .venv/dev

run: setup
	@exec $(BIN)/python manage.py run_demo --port $(PORT)

test: setup-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python -m pytest -n 2 --dist loadfile -p tests.postgres -m "not browser and not process"

axe: setup-dev
	THOROUGH=1 $(BIN)/python -m pytest -n 2 --dist load tests/test_accessibility.py tests/test_console_pages.py

screens: setup-dev
	VAR_DIR=test-artefacts/var $(BIN)/python -m pytest tests/screens.py -q

bench: setup-dev
	@exec $(BIN)/python -m bench $(BENCH)

bench-admin: setup-dev
	@exec $(BIN)/python -m bench.admin $(if $(SIZE),--users $(SIZE))

bench-crash: setup-dev
	$(BIN)/python -m bench.crash

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/djlint --check --lint templates

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	-$(BIN)/djlint --quiet --reformat templates

# make words  collect what users read into locale/, and compile what is translated; operators read English
words:
	$(BIN)/python manage.py makemessages --verbosity 0 --no-location --no-obsolete --no-wrap \
	  $(foreach language,zh_Hans id fil ms th ar,-l $(language)) $(foreach part,$(NOT_USERS),-i '$(part)')
	$(BIN)/python manage.py compilemessages --verbosity 0 -i .venv

lock: setup-dev
	$(LOCK) requirements.in -o requirements.lock
	$(LOCK) requirements-dev.in -o requirements-dev.lock

clean:
	rm -rf .venv .venv-sdk tests/typings/node_modules test-artefacts

.venv/runtime: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -r requirements.lock
	@touch $@

.venv/dev: .venv/runtime requirements-dev.lock
	$(PIP) -r requirements-dev.lock
	@touch $@

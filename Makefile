# The portal's commands. `make run` and `make test` need git, make and any Python 3; all else is brought into .venv.
.PHONY: run test test-database check format e2e e2e-chromium e2e-else shots slow bench chaos install lock vendor clean
.DEFAULT_GOAL := run
SHELL := /bin/sh

PYTHON := .venv/bin/python
# A name in PATH may be a shim that leads nowhere: only an answer counts.
UV = $$(uv --version >/dev/null 2>&1 && echo uv || echo .tools/bin/uv)

# Of CSS and JavaScript; what is not ours is named in .oxfmtrc.json.
OXFMT = .venv/bin/oxfmt static tests/e2e/checks.js vendor.mjs
DJANGOFMT = .venv/bin/djangofmt --quiet templates

run: .venv/.installed
	@PORTAL_LOCAL=1 exec $(PYTHON) manage.py run_local

test: .venv/.installed-dev
	@$(PYTHON) -m coverage erase
	@$(PYTHON) -m coverage run -m pytest $(ARGS)
	@$(PYTHON) -m coverage combine -q
	@$(PYTHON) -m coverage report

# What uses the database, without coverage: for a second database, after all tests on the first.
test-database: .venv/.installed-dev
	@$(PYTHON) -m pytest -m database $(ARGS)

check: .venv/.installed-dev
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(OXFMT) --check
	@$(DJANGOFMT) --check
	@$(PYTHON) -m djlint --quiet --lint templates
	@PORTAL_LOCAL=1 $(PYTHON) manage.py check
	@PORTAL_LOCAL=1 $(PYTHON) manage.py makemigrations --check --dry-run
	@SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(64))') AGENTSTATION_API_KEY=none \
		ALLOWED_HOSTS=portal.example $(PYTHON) manage.py check --deploy --fail-level WARNING

format: .venv/.installed-dev
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .
	@$(OXFMT)
	@$(DJANGOFMT)

# In two halves side by side, for much of the time is waiting: what is looked at in Chromium alone, and all else. What the
# tests start by `make run` is no part of this make. A half in which ARGS choose nothing (5) has not failed.
E2E = env -u MAKEFLAGS -u MFLAGS $(PYTHON) -m pytest -p no:django -o addopts= --confcutdir=tests/e2e $(ARGS)
CHROMIUM = $(patsubst %,tests/e2e/test_%.py,first_day live pages people)
e2e: .venv/.installed-dev node_modules/.installed
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target e2e-chromium e2e-else

e2e-chromium:
	@$(E2E) $(CHROMIUM) || [ $$? = 5 ]

e2e-else:
	@$(E2E) tests/e2e $(addprefix --ignore=,$(CHROMIUM)) || [ $$? = 5 ]

# A picture of every page, in light and dark, wide and on a phone; some of them: make shots ONLY=history. Those of README:
# make shots ARGS=--readme.
shots: .venv/.installed-dev
	@$(PYTHON) -m tests.e2e.shots $(if $(ONLY),--only $(ONLY)) $(ARGS)

# A short run on each database; a long one: make chaos REQUESTS=10000. The same SEED gives the same deeds. Without some
# of the provider's and the clocks' habits: make chaos ARGS='--without clock-steps'.
DATABASES = sqlite postgres
chaos: .venv/.installed-dev
	@for database in $(DATABASES); do \
		$(PYTHON) -m tests.chaos.run --database $$database $(if $(REQUESTS),--requests $(REQUESTS)) \
			$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGS) || exit 1; \
	done

# What takes long by itself, and is no part of CI: half an hour.
slow: .venv/.installed-dev
	@SLOW=1 $(PYTHON) -m pytest tests/notifications -k a_thousand
	@SLOW=1 $(PYTHON) -m pytest tests/protocol -k larger
	@$(MAKE) --no-print-directory chaos REQUESTS=10000

# How slow pages are while somebody attacks, what lists cost at a million requests (the databases are filled once), what
# programs wait for and cost that wait, and how quick all is when everybody comes at once, beside simpler portals (two
# hours). One part alone, with its options: make bench PARTS=lists ARGS='--many 2000'
PARTS = doors lists programs crowd
bench: .venv/.installed-dev
	@failed=0; for part in $(PARTS); do \
		$(PYTHON) -m tests.bench.$$part $(ARGS) || failed=1; \
	done; exit $$failed

install: .venv/.installed-dev

# Writes the lock files anew from pyproject.toml.
lock: .tools/.uv
	@$(UV) pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.12 pyproject.toml -o requirements.txt
	@$(UV) pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.12 pyproject.toml --group dev -o requirements-dev.txt
	@echo uv | $(UV) pip compile -q --upgrade --universal --generate-hashes --no-annotate --no-emit-index-url --python-version 3.12 - -o requirements-uv.txt

# Writes noVNC and xterm.js into static/vendor/ from package-lock.json. What it writes is committed: nothing else needs npm.
vendor: node_modules/.installed
	@node vendor.mjs

clean:
	@rm -rf .venv .tools node_modules .mypy_cache .ruff_cache .pytest_cache htmlcov .coverage*

.tools/.uv:
	@mkdir -p .tools
	@uv --version >/dev/null 2>&1 || .tools/bin/uv --version >/dev/null 2>&1 || { \
		python3 -m venv .tools 2>/dev/null \
			|| { echo "make: 'python3 -m venv' does not work; on Debian: apt install python3-venv" >&2; exit 1; }; \
		.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt \
			|| { echo "make: uv could not be installed; is there a way to the package index?" >&2; exit 1; }; }
	@touch $@

.venv/.made: .tools/.uv
	@$(UV) venv --quiet --clear --no-config --python '>=3.12,<3.15' .venv \
		|| { echo "make: no Python 3.12 to 3.14 was found, and uv could not bring one" >&2; exit 1; }
	@touch $@

# Compiled, for whoever starts the portal may not be allowed to write there: each start would compile everything again.
.venv/.installed: requirements.txt .venv/.made
	@$(UV) pip install --quiet --compile-bytecode --python $(PYTHON) --require-hashes -r requirements.txt \
		|| { echo "make: the packages could not be installed" >&2; exit 1; }
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.made
	@$(UV) pip install --quiet --compile-bytecode --python $(PYTHON) --require-hashes -r requirements-dev.txt \
		|| { echo "make: the packages could not be installed" >&2; exit 1; }
	@touch $@ .venv/.installed

# Lighthouse and html-validate for the tests of pages, and what `make vendor` packs.
node_modules/.installed: package-lock.json
	@npm ci --silent --ignore-scripts \
		|| { echo "make: npm is missing (Debian: apt install nodejs npm), or the packages could not be installed" >&2; exit 1; }
	@touch $@

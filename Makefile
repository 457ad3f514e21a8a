# make boot: Linux on the simulated computer. make test: everything that is checked. `make help` lists the rest.
#
# PYTHON=python3      the interpreter that the virtual environment is made with (3.11 or newer)
# DOWNLOADS=DIR       where the guest's downloaded packages lie and stay (the user's cache)
# TESTS=tests         what `make test` gives pytest: files, folders, options

PYTHON    := python3
DOWNLOADS :=
TESTS     := tests

VENV      := .venv
PY        := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

# Mirrors fail for moments: pauses of 2 + 4 + 8 + 16 + 32 seconds before giving up.
define retry
@for pause in 2 4 8 16 32 no; do \
	$(1) && exit 0; \
	[ $$pause = no ] && exit 1; \
	echo "failed; trying again in $$pause s" >&2; \
	sleep $$pause; \
done
endef

.PHONY: help boot setup guest test lint bench clean
.DELETE_ON_ERROR:

help:
	@sed -n '1,6s/^# \{0,1\}//p' Makefile
	@echo 'Targets: boot setup test lint bench clean'

boot: guest
	@exec $(PY) -m rvsim.soc boot

setup: guest
	@echo 'Ready: `make boot`, or `. $(VENV)/bin/activate` and `python -m rvsim.soc --help`.'

# Looking takes some milliseconds, and unlike a stamp it notices when somebody has emptied the cache.
guest: $(INSTALLED)
	@$(PY) -m rvsim.guest path >/dev/null 2>&1 || \
		$(PY) -m rvsim.guest build $(if $(DOWNLOADS),--downloads '$(DOWNLOADS)')

test: setup lint
	$(PY) -m pytest $(TESTS)

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

bench: setup
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(PY) $$script || exit; done

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo 'The guest image is in your cache; `rvsim guest clean` (before this) or $${XDG_CACHE_HOME:-~/.cache}/rvsim is its place.'

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'rvsim needs Python 3.11 or newer (make PYTHON=/path/to/python3)' >&2; exit 2; }
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing the Python packages that rvsim needs into $(VENV) ...'
	$(call retry,$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]' \
	--config-settings editable_mode=compat)
	@touch $@

# Every task of the project, once. `./justw` lists them.

root := justfile_directory()
export PYTHONPATH := root / "libs" + ":" + root / "services" + ":" + root / "infra"
# A machine behind a proxy trusts its own certificates, which uv by itself doesn't look at.
export UV_SYSTEM_CERTS := env("UV_SYSTEM_CERTS", "1")
bin := root / ".venv/bin"
compile := "uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11"

[private]
default:
    @{{ just_executable() }} --list --unsorted

# Run the whole system in the foreground, on http://localhost:8000; with --secured it asks for tokens
[group('run')]
[no-exit-message]
[positional-arguments]
up *arguments: _venv
    @exec {{ bin }}/python -m local.up "$@"

# Print a token for `./justw up --secured`: `./justw token --role staff`, or `--role customer --subject alice`
[group('run')]
[no-exit-message]
[positional-arguments]
token *arguments: _venv
    @exec {{ bin }}/python -m local.issue_token "$@"

# Play what the system promises against the running one, with a verdict on each
[group('run')]
[no-exit-message]
[positional-arguments]
demo *arguments: _venv
    @exec {{ bin }}/python -m local.demo "$@"

# Look after orders, dead letters and the stock: `./justw ops --help`
[group('run')]
[no-exit-message]
[positional-arguments]
ops *arguments: _venv
    @exec {{ bin }}/python -m local.ops "$@"

# See from outside whether a system may face the internet: `./justw production-check https://shop.example`
[group('run')]
[no-exit-message]
[positional-arguments]
production-check *arguments: _venv
    @exec {{ bin }}/python -m ops.production_check "$@"

# Forget all data of the system
[group('run')]
[no-exit-message]
reset: _venv
    @exec {{ bin }}/python -m local.reset

# Run the tests, on all cores: all, or those that pytest's arguments choose
[group('develop')]
[no-exit-message]
[positional-arguments]
test *arguments: _venv
    @exec {{ bin }}/pytest -n auto --dist loadfile "$@"

# The tests of the whole system at full size: 1,000 cancels, fulfilment away for five minutes, 100 stock proofs
[group('develop')]
[no-exit-message]
[positional-arguments]
test-at-full-size *arguments: _venv
    @FULL_SIZE=1 exec {{ bin }}/pytest --durations 0 tests/flow "$@"

# Measure the system against a route that does nothing and against the usual design: `./justw bench --help`
[group('develop')]
[no-exit-message]
[positional-arguments]
bench *arguments: _venv _bench_venv
    @exec {{ bin }}/python -m bench "$@"

# Break the whole system for some minutes and see whether it keeps its promises: `./justw faults --help`
[group('develop')]
[no-exit-message]
[positional-arguments]
faults *arguments: _venv
    @PYTHONPATH="$PYTHONPATH:{{ root }}/tests" exec {{ bin }}/python -m faults "$@"

# Send generated requests to every route of a system of its own for some minutes: `./justw fuzz --help`
[group('develop')]
[no-exit-message]
[positional-arguments]
fuzz *arguments: _venv
    @PYTHONPATH="$PYTHONPATH:{{ root }}/tests" exec {{ bin }}/python -m fuzz "$@"

# Put each known bug into a copy of the tree: the tests must catch them all
[group('develop')]
[no-exit-message]
[positional-arguments]
seeded-bugs *arguments: _venv
    @PYTHONPATH="$PYTHONPATH:{{ root }}/tests" exec {{ bin }}/python -m faults.seeded_bugs "$@"

# Change the code at the heart of the system bit by bit: the tests must notice. An hour and a half; or name modules
[group('develop')]
[no-exit-message]
[positional-arguments]
mutants *arguments: _venv _mutation_venv
    @PYTHONPATH="$PYTHONPATH:{{ root }}/tests" exec {{ bin }}/python -m mutation "$@"

# Check format, lint, types and the rules between packages
[group('develop')]
check: _venv
    @{{ bin }}/ruff format --check --quiet .
    @{{ bin }}/ruff check --quiet .
    @{{ bin }}/mypy
    @{{ bin }}/lint-imports

# Format the code and mend what ruff can mend
[group('develop')]
fmt: _venv
    @{{ bin }}/ruff format .
    @{{ bin }}/ruff check --fix .

# Pin every dependency again; `just lock --upgrade` moves to the newest versions
[group('develop')]
lock *arguments:
    @{{ compile }} {{ arguments }} pyproject.toml -o requirements.txt
    @{{ compile }} {{ arguments }} pyproject.toml --constraints requirements.txt --group dev -o requirements-dev.txt
    @{{ compile }} {{ arguments }} --group bench -o requirements-bench.txt
    @{{ compile }} {{ arguments }} --group mutation -o requirements-mutation.txt
    @{{ compile }} {{ arguments }} --group tools -o requirements-tools.txt

# The stamp is a copy of what was installed, made last: an interrupted installation is done again.
_venv:
    @cmp -s requirements-dev.txt .venv/installed.txt || { \
        echo "Installing the Python packages into .venv/ ..." >&2 && \
        uv venv --quiet --clear --python "${PYTHON:->=3.11}" .venv && \
        uv pip sync --quiet --compile-bytecode --python .venv requirements-dev.txt && \
        cp requirements-dev.txt .venv/installed.txt; }

_bench_venv:
    @cmp -s requirements-bench.txt .tools/bench/installed.txt || { \
        echo "Installing the usual design's packages into .tools/bench/ ..." >&2 && \
        uv venv --quiet --clear --python "${PYTHON:->=3.11}" .tools/bench && \
        uv pip sync --quiet --compile-bytecode --python .tools/bench requirements-bench.txt && \
        cp requirements-bench.txt .tools/bench/installed.txt; }

_mutation_venv:
    @cmp -s requirements-mutation.txt .tools/mutation/installed.txt || { \
        echo "Installing Cosmic Ray into .tools/mutation/ ..." >&2 && \
        uv venv --quiet --clear --python "${PYTHON:->=3.11}" .tools/mutation && \
        uv pip sync --quiet --compile-bytecode --python .tools/mutation requirements-mutation.txt && \
        cp requirements-mutation.txt .tools/mutation/installed.txt; }

# Sourced by up, test, check and fix: makes .venv and installs pinned requirements into it, once.

sentence() {
    echo "$1" >&2
    exit 1
}

runs() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for python in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3; do
        runs "$python" && return
    done
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && sentence \
        "Your Python lacks its venv module. On Debian and Ubuntu: apt install python3-venv"
    sentence "Loadify needs Python 3.11 or newer, with its venv module. On Debian and Ubuntu: apt install python3 python3-venv; else see python.org. Or name one: PYTHON=/path/to/python3"
}

version_of() {
    "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null || true
}

# ready FILE: .venv holds what FILE pins, for the interpreter that $PYTHON names or that was chosen before.
ready() {
    stamp=".venv/$1.stamp"
    wanted="$(cksum <"$1") $(version_of .venv/bin/python)"
    if [ -n "${PYTHON:-}" ]; then
        if ! runs "$PYTHON"; then
            echo "PYTHON is $PYTHON, which is no Python 3.11 or newer with its venv module; taking another." >&2
        elif [ "$(version_of "$PYTHON")" != "$(version_of .venv/bin/python)" ]; then
            wanted=other
        fi
    fi
    [ -f "$stamp" ] && [ "$wanted" = "$(cat "$stamp")" ] && return
    if [ "$wanted" = other ] || ! runs .venv/bin/python; then
        find_python
        echo "Making .venv with $("$python" -V)."
        rm -rf .venv
        "$python" -m venv .venv || sentence "Python could not make .venv."
    fi
    echo "Installing $1, once."
    install "$1" >.venv/install.log 2>&1 || {
        tail -n 15 .venv/install.log >&2
        sentence "Installing $1 failed; .venv/install.log has all of it."
    }
    echo "$(cksum <"$1") $(version_of .venv/bin/python)" >"$stamp"
}

find_uv() {
    uv="$(command -v uv || echo .venv/bin/uv)"
    "$uv" --version >/dev/null 2>&1 && return
    uv=.venv/bin/uv
    "$uv" --version >/dev/null 2>&1 || .venv/bin/python -m pip install uv
}

# uv takes a third of pip's time; where it does not run, or cannot reach its index, pip does the work.
install() {
    { find_uv && "$uv" pip install --compile-bytecode --python "$PWD/.venv/bin/python" -r "$1"; } ||
        .venv/bin/python -m pip install -r "$1"
}

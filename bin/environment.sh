# Sourced by bin/up and bin/test: finds Python, makes .venv and installs the pinned requirements, once per change of them.
# shellcheck shell=sh

fail() {
    printf '\ncorehour: %s\n' "$1" >&2
    exit 1
}

find_python() {
    for python in "${COREHOUR_PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            return
        fi
        [ -z "${COREHOUR_PYTHON:-}" ] || break
    done
    found=$("${COREHOUR_PYTHON:-python3}" --version 2>/dev/null || echo "no Python")
    fail "Corehour needs Python 3.11 or newer and found ${found}. Install one, or name it: COREHOUR_PYTHON=/path/to/python3.11 $0"
}

# $1: the requirements file. Nothing is asked of the network when the stamp says that exactly this is installed.
ensure_environment() {
    stamp=.venv/installed-$(basename "$1" .txt)
    wanted=$(cat requirements.txt "$1" | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
        return
    fi
    find_python
    started=$(date +%s)
    mkdir -p "$data/log" 2>/dev/null || fail "Cannot write to $data. Set COREHOUR_DATA_DIR to a folder that you own."
    refuse_full_disk
    log=$data/log/install.log
    printf '  Installing the environment in .venv, a minute or two ... '
    make_venv
    if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --retries 2 -r "$1" >"$log" 2>&1; then
        explain_pip
    fi
    echo "$wanted" >"$stamp"
    echo "ok $(($(date +%s) - started)) s"
}

make_venv() {
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        rm -rf .venv
        if ! "$python" -m venv .venv >"$log" 2>&1; then
            fail "$python cannot make an environment. On Debian and Ubuntu: apt-get install python3-venv. Details are in $log"
        fi
    fi
}

refuse_full_disk() {
    free_mb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    if [ "$free_mb" -lt 1500 ]; then
        fail "Only ${free_mb} MB are free here, and the environment takes 1500 MB. Free some space and start again."
    fi
}

explain_pip() {
    if grep -qi 'no space left' "$log"; then
        fail "The disk is full. Free 1500 MB and start again. Details are in $log"
    fi
    if grep -qiE 'connection|resolve|timed out|proxy|unreachable' "$log"; then
        fail "Cannot reach the package index. Check the network (or HTTPS_PROXY, PIP_INDEX_URL) and start again. Details are in $log"
    fi
    fail "The requirements could not be installed: $(grep -i error "$log" | tail -n 1). Details are in $log"
}

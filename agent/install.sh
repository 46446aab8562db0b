#!/bin/sh
# Installs the agent as a service and enrols this machine: sudo agent/install.sh URL TOKEN. Needs Python 3.11 and systemd.
# With - as TOKEN it is read from standard input, where no other user sees it.
# With COREHOUR_AGENT_PREFIX=FOLDER everything goes below that folder, as any user, and no service is started.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 URL TOKEN (both are on the machine's page in the portal; TOKEN - is read from standard input)" >&2; exit 2; }
prefix=${COREHOUR_AGENT_PREFIX:-}
[ -n "$prefix" ] || [ "$(id -u)" -eq 0 ] || { echo "$0: run it as root, for example with sudo" >&2; exit 2; }
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$0: it needs Python 3.11; set PYTHON" >&2; exit 2; }
token=$2
[ "$token" != - ] || IFS= read -r token || [ -n "$token" ] || { echo "$0: there is no token on standard input" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
to=$prefix/opt/corehour-agent
state=$prefix/var/lib/corehour-agent
settings=$prefix/etc/corehour-agent.toml
units=$prefix/etc/systemd/system
"$python" -m venv "$to"
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
cp -R "$here" "$source/agent"  # Building leaves files behind.
"$to/bin/pip" install --quiet --disable-pip-version-check "$source/agent"
printf '%s\n' "$token" | "$to/bin/corehour-agent" enrol "$1" - --state-dir "$state"
mkdir -p "$units"
[ -e "$settings" ] || install -m 600 /dev/null "$settings"
sed "s|/opt/corehour-agent|$to|; s|=/var/lib/corehour-agent|=$state|; s|:/etc/corehour-agent.toml|:$settings|" \
    "$here/corehour-agent.service" > "$units/corehour-agent.service"
chmod 644 "$units/corehour-agent.service"
if [ -n "$prefix" ]; then
    echo "installed below $prefix; start it: $to/bin/corehour-agent run --state-dir $state --config $settings"
    exit 0
fi
ln -sf "$to/bin/corehour-agent" /usr/local/bin/corehour-agent
systemctl daemon-reload
systemctl enable --now corehour-agent
"$to/bin/corehour-agent" doctor --state-dir "$state" || true

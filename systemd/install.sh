#!/usr/bin/env bash
# Installs the runner as a systemd service, upgrades it, or takes it away: `make install`, `make
# uninstall`. Releases lie side by side and a link says which one runs, so that an install that
# breaks off changes nothing, and the one before is kept to go back to.
#
#   PREFIX   where releases go (default /opt/runner)
#   DESTDIR  a root folder to install into, for images and packages; nothing is started there
#   PYTHON   the interpreter of the new environment (default python3), 3.11 or newer
#   EXTRAS   what else to install: postgresql, vault, aws; remembered by the next install
set -euo pipefail
cd "$(dirname "$0")/.."

PREFIX=${PREFIX:-/opt/runner}
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-python3}
EXTRAS=${EXTRAS:-$(cat "$DESTDIR$PREFIX/extras" 2> /dev/null || true)}
UNITS=$DESTDIR/etc/systemd/system
SHARE=$DESTDIR/usr/share

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

live() { [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; }

instances() {
  local state
  for state in /var/lib/runner/*/; do
    [ -e "$state" ] && basename "$state"
  done
  return 0
}

extras() { # the locked packages of what else shall be installed
  local extra name
  for extra in $EXTRAS; do
    case "$extra" in
      postgresql) set -- psycopg psycopg-binary ;;
      vault) set -- hvac ;;
      aws) set -- boto3 botocore jmespath s3transfer python-dateutil six ;;
      *) fail "There is no extra $extra. Choose from: postgresql vault aws" ;;
    esac
    for name; do
      awk -v name="$name" '/^[a-z0-9]/ { on = index($0, name "==") == 1 } on && !/^ *#/' requirements-dev.lock
    done
  done
}

environment() { # the new release's folder: a locked environment, the schemas and the documentation
  local release=$1 pip
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$PYTHON is missing or older than 3.11. Type: make install PYTHON=python3.12"
  "$PYTHON" -c 'import ensurepip' 2> /dev/null ||
    fail "$PYTHON cannot make environments. Type: apt-get install -y python3-venv"
  "$PYTHON" -m venv "$release"
  pip=("$release/bin/python" -m pip --disable-pip-version-check --no-input -qq install)
  say "Installing $(grep -c '^[a-z0-9].*==' requirements.lock) packages of requirements.lock, hashes checked"
  extras > "$release/extras.lock"
  "${pip[@]}" --require-hashes --only-binary :all: -r requirements.lock -r "$release/extras.lock"
  "${pip[@]}" --no-index --no-deps --no-build-isolation .
  # A release that was built below DESTDIR is run from where DESTDIR will be mounted.
  [ -z "$DESTDIR" ] || find "$release/bin" -type f -exec sed -i "1s|^#!$DESTDIR|#!|" {} +
  cp -R schemas "$release/"
  mkdir -p "$release/share"
  cp -R docs "$release/share/doc"
}

completions() {
  local runner=("$1/bin/python" -m runner)
  install -d "$SHARE/bash-completion/completions" "$SHARE/zsh/vendor-completions" \
    "$SHARE/fish/vendor_completions.d"
  _RUNNER_COMPLETE=bash_source "${runner[@]}" > "$SHARE/bash-completion/completions/runner"
  _RUNNER_COMPLETE=zsh_source "${runner[@]}" > "$SHARE/zsh/vendor-completions/_runner"
  _RUNNER_COMPLETE=fish_source "${runner[@]}" > "$SHARE/fish/vendor_completions.d/runner.fish"
}

units() {
  local file
  install -d "$UNITS" "$DESTDIR/usr/lib/sysusers.d" "$DESTDIR/usr/lib/tmpfiles.d"
  for file in systemd/*.service systemd/*.socket systemd/*.timer; do
    sed "s|/opt/runner|$PREFIX|g" "$file" > "$UNITS/${file##*/}"
  done
  install -m 644 systemd/runner.sysusers "$DESTDIR/usr/lib/sysusers.d/runner.conf"
  install -m 644 systemd/runner.tmpfiles "$DESTDIR/usr/lib/tmpfiles.d/runner.conf"
}

example() { # the first rule of `runner init`, never over what somebody wrote
  local main=$DESTDIR/etc/runner/main first
  [ ! -e "$main" ] || return 0
  first=$(mktemp -d)
  "$1/bin/python" -m runner init "$first" --yes > /dev/null 2>&1
  install -d -m 750 "$DESTDIR/etc/runner" "$main" "$main/rules"
  install -d -m 700 "$main/credentials"
  sed "s|/opt/runner|$PREFIX|g" systemd/example/runner.yaml > "$main/runner.yaml"
  cp "$first"/rules/*.yaml "$main/rules/"
  sed -i "s|=\.\./schemas/|=$PREFIX/current/schemas/|" "$main"/rules/*.yaml
  chmod 640 "$main/runner.yaml" "$main"/rules/*.yaml
  # A secret is encrypted for the machine that it is used on: an image has none yet.
  if live; then
    systemd-creds encrypt --name=secret_tv "$first/secrets/tv" "$main/credentials/tv" 2> /dev/null
  fi
  rm -rf "$first"
}

owners() { # what the service user reads is root's to write
  systemd-sysusers runner.conf
  systemd-tmpfiles --create runner.conf
  chgrp -R runner /etc/runner/main
  chown root:root /etc/runner/main/credentials
}

backups() { # and try each: what the new release cannot bring up to date, it must not get
  local instance state copy tried
  for instance in $(instances); do
    state=/var/lib/runner/$instance
    [ -e "$state/journal.db" ] || continue
    say "Backing up the journal of $instance, and trying the new release on the copy"
    install -d -o runner -g runner -m 700 "$state/backups"
    copy=$state/backups/journal-$(date -u +%Y-%m-%dT%H%M%SZ).db
    as_runner "$1/bin/runner" db backup "$copy" --dir "$state" > /dev/null
    tried=$(as_runner mktemp -d "$state/backups/try.XXXXXX")
    as_runner cp "$copy" "$tried/journal.db"
    as_runner "$1/bin/runner" db upgrade "$tried/journal.db" > /dev/null || {
      rm -rf "$tried"
      fail "The new release cannot use the journal of $instance: nothing was changed, the old one goes on."
    }
    rm -rf "$tried"
  done
}

as_runner() {
  runuser -u runner -- "$@"
}

switch() { # to the new release, in one step
  ln -sfnT "releases/$1" "$DESTDIR$PREFIX/next"
  mv -fT "$DESTDIR$PREFIX/next" "$DESTDIR$PREFIX/current"
  install -d "$DESTDIR/usr/local/bin"
  ln -sfnT "$PREFIX/current/bin/runner" "$DESTDIR/usr/local/bin/runner"
}

forget() { # all releases but the newest two
  local old
  find "$DESTDIR$PREFIX/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn |
    tail -n +3 | cut -d' ' -f2- | while read -r old; do rm -rf "$old"; done
}

install_it() {
  local version release
  version=$(sed -nE 's/^__version__ = "(.*)"/\1/p' runner/__init__.py)-$(date -u +%Y%m%d%H%M%S)
  release=$DESTDIR$PREFIX/releases/$version
  install -d "$DESTDIR$PREFIX/releases"
  trap 'rm -rf "$release"' EXIT
  environment "$release"
  if live; then backups "$release"; fi
  trap - EXIT
  [ -z "$EXTRAS" ] || printf '%s\n' "$EXTRAS" > "$DESTDIR$PREFIX/extras"
  units
  example "$release"
  if [ -z "$DESTDIR" ]; then owners; fi
  switch "$version"
  completions "$release"
  forget
  if live; then
    systemctl daemon-reload
    systemctl try-restart 'runner@*.service'
  fi
  say "Installed $version below $PREFIX."
  say "Next: look at /etc/runner/main, then: systemctl enable --now runner@main runner-backup@main.timer"
}

uninstall_it() {
  local unit
  if live; then
    systemctl disable --now 'runner@*.service' 'runner@*.socket' 'runner-backup@*.timer' 2> /dev/null || true
    for unit in $(instances); do
      systemctl disable --now "runner@$unit.service" "runner@$unit.socket" "runner-backup@$unit.timer" 2> /dev/null || true
    done
  fi
  rm -rf "$DESTDIR$PREFIX"
  rm -f "$UNITS"/runner@.service "$UNITS"/runner@.socket "$UNITS"/runner-backup@.{service,timer} \
    "$DESTDIR/usr/lib/sysusers.d/runner.conf" "$DESTDIR/usr/lib/tmpfiles.d/runner.conf" \
    "$DESTDIR/usr/local/bin/runner" "$SHARE/bash-completion/completions/runner" \
    "$SHARE/zsh/vendor-completions/_runner" "$SHARE/fish/vendor_completions.d/runner.fish" \
    "$DESTDIR"/var/lib/runner/*/rules.cache
  if live; then systemctl daemon-reload; fi
  say "Taken away. Kept: settings and rules in /etc/runner, journals and backups in /var/lib/runner."
}

[ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "Installing needs root. Type: sudo make ${1:-install}"
case "${1:-}" in
  install) install_it ;;
  uninstall) uninstall_it ;;
  *) fail "usage: systemd/install.sh install|uninstall" ;;
esac

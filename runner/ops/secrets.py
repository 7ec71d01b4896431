"""Where secrets come from: systemd, a private file, the environment, a command, a vault."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from runner.errors import ConfigurationError
from runner.ops.secret_vaults import from_aws, from_vault

COMMAND_SECONDS = 10
MAX_BYTES = 64 * 1024
CREDENTIALS = "CREDENTIALS_DIRECTORY"
PEM = "-----BEGIN"
"""How a private key (RSA, Ed25519) begins, which has lines and blanks."""

FROM_A_FOLDER = "secret_"
"""How systemd begins the names where a whole folder is loaded: LoadCredential=secret:/folder."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Source(Protocol):
    """Where the settings say that a secret comes from; one of the five is set."""

    @property
    def env(self) -> str | None:
        """The name of an environment variable."""

    @property
    def file(self) -> str | None:
        """A path, seen from the runner's folder."""

    @property
    def command(self) -> tuple[str, ...]:
        """A program and its arguments."""

    @property
    def vault(self) -> Mapping[str, str]:
        """`path`, `field` and `mount` of HashiCorp Vault."""

    @property
    def aws(self) -> Mapping[str, str]:
        """`id`, `field` and `region` of AWS Secrets Manager."""


class Secrets:
    """Reads secrets by name, when asked; a value is in no repr, log or exception."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        folder: Path,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`sources` are the settings', `folder` is the runner's: `folder/secrets/<name>`."""
        self._sources = sources
        self._folder = folder
        self._environ = environ
        self._seen: set[str] = set()

    def __repr__(self) -> str:
        return f"Secrets({self._folder}, {len(self._seen)} read)"

    def values(self) -> frozenset[str]:
        """Return every value read so far, for the scrubbing of logs and nothing else."""
        return frozenset(self._seen)

    def get(self, name: str) -> str:
        """Return the secret: from the settings' source, a systemd credential, or `secrets/<name>`.

        It is read anew each time, so that a rotated one is found. Raises ConfigurationError,
        which names the secret and what to do, and never the value.
        """
        _refuse_no_name(name)
        value = _usable(name, self._find(name))
        self._seen.add(value)
        return value

    def _find(self, name: str) -> str:
        source = self._sources.get(name)
        if source is not None:
            return self._from(name, source)
        credentials = self._environ.get(CREDENTIALS)
        if credentials:
            # systemd alone made this folder; with an ACL its files look group-readable
            for file in (name, f"{FROM_A_FOLDER}{name}"):
                value = _read(name, Path(credentials) / file, stat.S_IRWXO)
                if value is not None:
                    return value
        path = self._folder / "secrets" / name
        value = _read(name, path, stat.S_IRWXG | stat.S_IRWXO)
        if value is not None:
            return value
        raise ConfigurationError(
            f"the secret {name} is nowhere to be found. Give it in one of three ways: a systemd "
            f"credential (LoadCredential={name}:/path), a file {path} with mode 0600, or in "
            f"runner.yaml under secrets: {name}: {{env: NAME}} or {{command: [program]}}"
        )

    def _from(self, name: str, source: Source) -> str:
        if source.env is not None:
            value = self._environ.get(source.env)
            if value is None:
                raise ConfigurationError(
                    f"the secret {name} should be in the environment variable {source.env}, which "
                    "is not set: set it, or change secrets in runner.yaml"
                )
            return value
        if source.file is not None:
            path = self._folder / source.file
            value = _read(name, path, stat.S_IRWXG | stat.S_IRWXO)
            if value is None:
                raise ConfigurationError(
                    f"the secret {name} should be in {path}, which is not there: write it, with "
                    "mode 0600, or change secrets in runner.yaml"
                )
            return value
        if source.vault:
            return from_vault(name, source.vault, self._environ)
        if source.aws:
            return from_aws(name, source.aws)
        return _run(name, source.command)


def valid(name: str, value: str) -> str:
    """Return a secret as it would be read, so that what is written can be used.

    Raises ConfigurationError for what is no name or no secret.
    """
    _refuse_no_name(name)
    return _usable(name, value)


def _refuse_no_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"a secret's name is made of a-z, 0-9 and _; this one of {len(name)} characters "
            "is not. Write the name, never the secret itself"
        )


def _usable(name: str, value: str) -> str:
    value = value.strip()
    if not value:
        raise ConfigurationError(f"the secret {name} is empty: write it where it is kept")
    if PEM not in value and (len(value.split()) > 1 or not value.isprintable()):
        raise ConfigurationError(
            f"the secret {name} has blanks or control characters inside: it was pasted wrongly"
        )
    return value


def _read(name: str, path: Path, forbidden: int) -> str | None:
    """Return a file's text, None without the file; `forbidden` mode bits are refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            # what was opened is looked at, not what the path may name a moment later
            _refuse_unless_private(name, path, os.fstat(descriptor), forbidden)
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(
            f"the secret {name} cannot be read from {path}: {error.strerror}. Is it a file that "
            "this user may read?"
        ) from error
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"the secret {name} in {path} is larger than 64 KiB")
    return _text(name, content)


def _refuse_unless_private(name: str, path: Path, status: os.stat_result, forbidden: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"the secret {name} should be in a file, {path} is none")
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(
            f"the secret {name} in {path} belongs to another user: chown {os.geteuid()} {path}"
        )
    if status.st_mode & forbidden:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigurationError(
            f"the secret {name} in {path} can be read by others (mode {mode:04o}): chmod 600 {path}"
        )


def _run(name: str, command: tuple[str, ...]) -> str:
    """Return what a program prints. Its arguments and its errors may hold secrets: not repeated."""
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        problem = (
            f"did not answer within {COMMAND_SECONDS} s. Does it ask for something? It must run "
            "without a terminal"
        )
    except OSError as error:
        problem = f"cannot be run: {error.strerror}. Write its whole path"
    else:
        if not done.returncode:
            return _text(name, done.stdout)
        problem = f"ended with code {done.returncode}. Run it by hand to see why"
    # raised out here: the error above holds the arguments, and would come along as its context
    raise ConfigurationError(f"the secret {name}: {command[0]} {problem}")


def _text(name: str, content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    if "\ufffd" in text:
        raise ConfigurationError(f"the secret {name} is not UTF-8 text")
    return text

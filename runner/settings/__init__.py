"""What one runner is set to: runner.yaml, read once, checked whole, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from runner.core.document import duration
from runner.core.lifecycle import Timing
from runner.core.limits import Limits
from runner.errors import ConfigurationError
from runner.settings import guarding, outward, several
from runner.settings.checking import schema_mistakes
from runner.settings.outward import Log, Notifications
from runner.settings.reading import Mistake, read
from runner.settings.waits import senseless

FILE_NAME = "runner.yaml"


@dataclass(frozen=True, slots=True)
class Account:
    """One account: `address` is live, demo, paper, or a mapping of rest, streams and ws_api.

    `api_key` and `api_secret` are names of secrets, empty on paper; `limits` are the account's own
    guards; `journal` is where it is remembered, empty for the usual place.
    """

    name: str
    venue: str
    address: str | Mapping[str, str]
    api_key: str = ""
    api_secret: str = ""
    position_mode: str = "one_way"
    default: bool = False
    leverage: int | None = None
    margin_type: str | None = None
    transport: Literal["rest", "ws"] = "rest"
    limits: Limits = field(default_factory=Limits)
    journal: str = ""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where one secret comes from; exactly one of the five is set."""

    env: str | None = None
    file: str | None = None
    command: tuple[str, ...] = ()
    vault: Mapping[str, str] = field(default_factory=dict)
    aws: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommandHook:
    """`POST /hook/<path>` gives this command to the runner; `secret` names its secret."""

    path: str
    command: str
    secret: str


@dataclass(frozen=True, slots=True)
class Paper:
    """The embedded paper exchange; `state` is the name of the file it keeps."""

    seed: int = 1
    state: str = "paper.json"
    balance: Decimal = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults; `journal` is a path seen from the folder, or a URL,
    `witness` the file in another place that tells how far the journal had come; `allow`: whose
    alerts are taken, all when empty.

    `stale_after` (ms): older prices are not acted on. `reload_poll` (ms): how often the rule files
    are looked at; 0: only when somebody asks. `reload_tests`: their tests must pass.
    """

    namespace: str = "main"
    accounts: Mapping[str, Account] = field(default_factory=dict)
    journal: str = "journal.db"
    witness: str = "witness/journal.witness"
    hook: tuple[str, int] = ("127.0.0.1", 8080)
    allow: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    stale_after: int = 30_000
    on_stop: str = "leave_armed"
    on_kill: str = "flatten"
    commands: Mapping[str, CommandHook] = field(default_factory=dict)
    reload_poll: int = 1_000
    reload_tests: bool = False
    paper: Paper = field(default_factory=Paper)
    notifications: Notifications = field(default_factory=Notifications)
    metrics: tuple[str, int] | None = None
    dashboard: tuple[str, int] | None = None
    log: Log = field(default_factory=Log)
    apart: str = ""
    """The account whose share of the settings this is, where it is not the default one."""

    def account(self, name: str = "") -> Account:
        """Return the account of this name; without a name the only one, or the default.

        Raises ConfigurationError with what to write when there is none.
        """
        if name in self.accounts:
            return self.accounts[name]
        if name:
            known = ", ".join(self.accounts) or "none"
            raise ConfigurationError(
                f"there is no account {name} in {FILE_NAME} (known: {known}): add it under accounts"
            )
        if not self.accounts:
            raise ConfigurationError(
                f"{FILE_NAME} has no account to trade with: add one under accounts, or start with "
                "--paper"
            )
        chosen = [account for account in self.accounts.values() if account.default]
        return (chosen or list(self.accounts.values()))[0]

    def of(self, name: str) -> Settings:
        """The share of one account: no other account in it, and the journal is its own.

        Raises ConfigurationError for an unknown account, or one that has no place for a journal.
        """
        account, default = self.account(name), self.account()
        if account is default:
            journal = account.journal or self.journal
            return replace(self, accounts={account.name: account}, journal=journal)
        return replace(
            self,
            accounts={name: account},
            journal=account.journal or several.journal_beside(self.journal, name),
            witness=several.witness_beside(self.witness, name),
            # one process has one sign of life
            notifications=replace(self.notifications, heartbeat_url=None),
            apart=name,
        )

    def limits(self, name: str) -> Limits:
        """The guards of an account; none for one that is not set here."""
        return self.accounts[name].limits if name in self.accounts else Limits()


def load(folder: Path) -> Settings:
    """Return the settings of a folder, the defaults when it has no runner.yaml.

    Raises ConfigurationError with every mistake, its place and its cure.
    """
    path = folder / FILE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}. Is it a file that this user may read?"
        ) from error
    return parse(str(path), content)


def parse(file: str, content: bytes) -> Settings:
    """Return the settings in the text of a file. Raises ConfigurationError with every mistake."""
    document = read(file, content)
    mistakes = document.mistakes or list(schema_mistakes(document.tree))
    if not mistakes:
        mistakes = list(_meaning(document.tree))
    if mistakes:
        raise ConfigurationError(document.text(mistakes))
    return _build(document.tree)


def parse_hook(text: str) -> tuple[str, int] | None:
    """Return host and port of `HOST:PORT` (`[::1]:8080` for IPv6), None when it is none."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    bare_ipv6 = ":" in host and not text.startswith("[")
    if not colon or not host or bare_ipv6 or not (port.isascii() and port.isdigit()):
        return None
    return (host, int(port)) if len(port) <= 5 and int(port) <= 65_535 else None


def parse_place(text: str) -> tuple[str, int] | None:
    """The same, or `unix:PATH` for a Unix socket, which has the port 0."""
    if text.startswith("unix:"):
        return (text, 0) if text != "unix:" else None
    return parse_hook(text)


def _meaning(tree: Mapping[str, Any]) -> list[Mistake]:
    """What the schema cannot say."""
    mistakes = []
    if parse_hook(tree.get("hook", "127.0.0.1:8080")) is None:
        text = "hook is not an address"
        mistakes.append(Mistake(("hook",), "wrong-value", text, "write HOST:PORT: 127.0.0.1:8080"))
    mistakes += [*_addresses(tree.get("hooks", {})), *_metrics(tree), *outward.mistakes(tree)]
    if tree.get("dashboard", "off") != "off" and parse_place(tree["dashboard"]) is None:
        text = "dashboard is not an address"
        cure = "write HOST:PORT, 127.0.0.1:8081, or unix:PATH, or off"
        mistakes.append(Mistake(("dashboard",), "wrong-value", text, cure))
    mistakes += several.mistakes(tree)
    offsets = [_ms(text) for text in tree.get("timing", {}).get("probe_offsets", [])]
    if offsets != sorted(offsets):
        text = "probe_offsets must not go back"
        path = ("timing", "probe_offsets")
        mistakes.append(Mistake(path, "wrong-value", text, "write [0s, 5s, 20s, 1m]"))
    return [*mistakes, *senseless(tree), *guarding.mistakes(tree)]


def _metrics(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """Alerts come from everywhere; what the metrics tell is not everybody's business."""
    if "metrics" not in tree:
        return
    where = parse_hook(tree["metrics"])
    if where is None:
        text, cure = "metrics is not an address", "write HOST:PORT: 127.0.0.1:9464"
        yield Mistake(("metrics",), "wrong-value", text, cure)
    elif where[1] and where == parse_hook(tree.get("hook", "127.0.0.1:8080")):
        text = "metrics and hook are the same address"
        yield Mistake(("metrics",), "wrong-value", text, "write another port: 127.0.0.1:9464")


def _addresses(hooks: Mapping[str, list[str]]) -> Iterator[Mistake]:
    for name, written in hooks.items():
        for number, text in enumerate(written):
            if name == "allow" and text == "tradingview":
                continue
            try:
                ip_network(text)
            except ValueError:
                cure = "write an address or a network: 10.0.0.7 or 10.0.0.0/8"
                path = ("hooks", name, number)
                yield Mistake(path, "wrong-value", f"{text} is no address", cure)


def _build(tree: Mapping[str, Any]) -> Settings:
    plain = ("namespace", "journal", "witness", "on_stop", "on_kill")
    taken = {key: tree[key] for key in plain if key in tree}
    timing = dict(tree.get("timing", {}))
    if "stale_after" in timing:
        taken["stale_after"] = _ms(timing.pop("stale_after"))
    if "poll" in tree.get("reload", {}):
        taken["reload_poll"] = _ms(tree["reload"]["poll"])
    taken["reload_tests"] = "require_tests" in tree.get("reload", {})
    if "hook" in tree:
        taken["hook"] = parse_hook(tree["hook"])
    taken |= {name: tuple(written) for name, written in tree.get("hooks", {}).items()}
    paper = dict(tree.get("paper", {}))
    if "balance" in paper:
        paper["balance"] = Decimal(paper["balance"])
    return Settings(
        **taken,
        accounts={
            name: _account(name, account) for name, account in tree.get("accounts", {}).items()
        },
        commands={
            path: CommandHook(path, **command) for path, command in tree.get("commands", {}).items()
        },
        secrets={name: _source(source) for name, source in tree.get("secrets", {}).items()},
        timing=Timing(**{name: _waits(value) for name, value in timing.items()}),
        paper=Paper(**paper),
        notifications=outward.notifications(tree),
        metrics=parse_hook(tree["metrics"]) if "metrics" in tree else None,
        dashboard=parse_place(tree.get("dashboard", "off")),
        log=outward.log(tree),
    )


def _account(name: str, written: Mapping[str, Any]) -> Account:
    plain = {key: value for key, value in written.items() if key != "guards"}
    return Account(name, **plain, limits=guarding.limits_of(written))


def _source(written: Mapping[str, Any]) -> SecretSource:
    command = tuple(written.get("command", ()))
    vault, aws = written.get("vault", {}), written.get("aws", {})
    return SecretSource(written.get("env"), written.get("file"), command, vault, aws)


def _waits(value: Any) -> Any:
    """A length of time or a list of them in ms; a count as it is."""
    if isinstance(value, list):
        return tuple(_ms(each) for each in value)
    return value if isinstance(value, int) else _ms(value)


def _ms(text: str) -> int:
    length = duration(text)
    assert length is not None, "the schema let through what is no length of time"
    return length

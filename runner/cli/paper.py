"""`runner paper`: the paper exchange alone, for a runner or any other client to trade on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import output
from runner.cli.stopping import stop_requests

if TYPE_CHECKING:
    from runner.venues.paper.market import Source
    from runner.venues.paper.server import PaperServer

CONFIGURATION = 78


@click.command(epilog="Example: runner paper --port 8900 --api-key K --api-secret S")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="N",
    help="The port on 127.0.0.1. Default: a free one.",
)
@click.option("--api-key", metavar="KEY", default="paper-key", help="Default: paper-key.")
@click.option(
    "--api-secret", metavar="SECRET", default="paper-secret", help="Default: paper-secret."
)
@click.option(
    "--exchange-info",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Symbols and filters: a saved GET /fapi/v1/exchangeInfo (.json or .gz). Default: twelve "
    "built-in symbols.",
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="KEY:SECRET",
    help="A further account with a key of its own, on the same book. May be repeated.",
)
@click.option(
    "--brackets",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Leverage and margin: a saved GET /fapi/v1/leverageBracket (.json or .gz).",
)
@click.option(
    "--prices",
    metavar="SOURCE",
    default="walk",
    help="walk (default), still, klines:FILE, trades:FILE, frames:FILE, live.",
)
@click.option(
    "--speed",
    type=click.IntRange(1, 100_000),
    default=1,
    metavar="N",
    help="How many times faster than recorded a FILE plays.",
)
@click.option(
    "--seed", type=int, default=1, metavar="N", help="Of the walk; the same, the same prices."
)
@click.option(
    "--balance", metavar="USDT", default="10000", help="What an account starts with: 10000."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keeps orders and positions over a restart, even a kill.",
)
@click.option(
    "--read-lag",
    metavar="TIME",
    default="0s",
    help="Queries see orders as they were so long ago: 500ms. Streams do not lag.",
)
@click.option(
    "--retention",
    metavar="TIME[,TIME]",
    default="3d,90d",
    help="How long queries find an order that never filled, and any other: 3d,90d.",
)
@click.option(
    "--stream-life",
    metavar="TIME",
    default="24h",
    help="How long a WebSocket lasts before it is ended: 24h.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[,NAME=VALUE…]",
    help="What goes wrong, as in drop_answer,match=POST /fapi/v1/order,count=2. May be repeated.",
)
@click.option("--no-limits", is_flag=True, help="Count weights and orders, but refuse nothing.")
@click.option(
    "--control", is_flag=True, help="Add /paper/…, by which tests move prices and ask for faults."
)
def paper(
    port: int,
    api_key: str,
    api_secret: str,
    exchange_info: Path | None,
    accounts: tuple[str, ...],
    brackets: Path | None,
    prices: str,
    speed: int,
    seed: int,
    balance: str,
    state: Path | None,
    read_lag: str,
    retention: str,
    stream_life: str,
    faults: tuple[str, ...],
    no_limits: bool,
    control: bool,
) -> None:
    """Serve the paper exchange: REST, streams and the WebSocket API on one port.

    Prints its addresses as one line of JSON (rest, streams, ws_api), and stays up until SIGTERM
    or Ctrl-C. The key pair is the one of --api-key and --api-secret.
    """
    options = {
        "symbols": _read_json(exchange_info, "exchangeInfo") if exchange_info else None,
        "brackets": _read_json(brackets, "leverageBracket") if brackets else None,
        "keys": _keys(api_key, api_secret, accounts),
        "balance": _amount(balance),
        "read_lag": _length("--read-lag", read_lag),
        "retention": _retention(retention),
        "connection_life": _length("--stream-life", stream_life),
        "faults": _faults(faults),
        "limits": not no_limits,
        "control": control,
        "state_file": state,
    }
    with stop_requests() as stop:
        market = _prices(prices, seed, speed)
        try:
            server = _server(market=market, port=port, **options)
        except (OSError, ValueError, KeyError, TypeError) as error:
            output.note(f"runner: the paper exchange cannot start on port {port}: {error}")
            sys.exit(CONFIGURATION)
        with server:
            click.echo(json.dumps(server.addresses))
            sys.stdout.flush()
            stop.wait()


def _prices(text: str, seed: int, speed: int) -> Source:
    """The price source. Raises UsageError; exits 78 where it cannot be read or reached."""
    from runner.venues.paper.prices import price_source

    try:
        return price_source(text, seed=seed, speed=speed)
    except ValueError as error:
        raise click.UsageError(f"--prices: {error}") from error
    except OSError as error:
        output.note(f"runner: --prices {text} cannot be used: {error}")
        sys.exit(CONFIGURATION)


def _keys(api_key: str, api_secret: str, accounts: tuple[str, ...]) -> dict[str, str]:
    """The secret of each API key. Raises UsageError for an account that is not KEY:SECRET."""
    keys = {api_key: api_secret}
    for text in accounts:
        key, separator, secret = text.partition(":")
        if not (key and secret and separator):
            raise click.UsageError(f"--account {text} is no KEY:SECRET")
        if key in keys:
            raise click.UsageError(f"--account {key}: this key is there already, choose another")
        keys[key] = secret
    return keys


def _length(option: str, text: str) -> int:
    """A length of time in ms. Raises UsageError."""
    from runner.core.document import duration

    length = duration(text)
    if length is None:
        raise click.UsageError(f"{option} {text} is no length of time such as 500ms, 15s or 24h")
    return length


def _retention(text: str) -> tuple[int, int]:
    """How long (ms) orders that never filled, and others, are found. Raises UsageError."""
    unfilled, _, others = text.partition(",")
    short = _length("--retention", unfilled)
    return short, _length("--retention", others) if others else max(short, 90 * 86_400_000)


def _faults(texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """The faults to come. Raises UsageError."""
    from runner.venues.paper.faults import read_fault

    try:
        return [read_fault(text) for text in texts]
    except ValueError as error:
        raise click.UsageError(f"--fault: {error}") from error


def _server(**options: Any) -> PaperServer:
    from runner.venues.paper.server import PaperServer

    return PaperServer(**options)


def _amount(text: str) -> str:
    from decimal import Decimal, InvalidOperation

    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise click.UsageError(f"--balance {text} is no amount: 10000")
    return f"{amount:f}"


def _read_json(path: Path, what: str) -> Any:
    """A saved answer, packed or not. Raises UsageError when the file is something else."""
    import gzip

    try:
        content = path.read_bytes()
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        return json.loads(plain)
    except (OSError, EOFError, ValueError) as error:
        raise click.UsageError(f"{path} is not a saved {what}: {error}") from error

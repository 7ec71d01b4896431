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
    "--seed", type=int, default=1, metavar="N", help="Of the random prices; the same, the same."
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
@click.option("--control", is_flag=True, help="Add /paper/…, by which tests move prices.")
def paper(
    port: int,
    api_key: str,
    api_secret: str,
    exchange_info: Path | None,
    seed: int,
    balance: str,
    state: Path | None,
    control: bool,
) -> None:
    """Serve the paper exchange: REST, streams and the WebSocket API on one port.

    Prints its addresses as one line of JSON (rest, streams, ws_api), and stays up until SIGTERM
    or Ctrl-C.
    """
    from runner.venues.paper.market import Walk

    amount = _amount(balance)
    with stop_requests() as stop:
        try:
            server = _server(
                symbols=_read_json(exchange_info) if exchange_info else None,
                keys={api_key: api_secret},
                market=Walk(seed),
                port=port,
                control=control,
                state_file=state,
                balance=amount,
            )
        except (OSError, ValueError, KeyError) as error:
            output.note(f"runner: the paper exchange cannot start on port {port}: {error}")
            sys.exit(CONFIGURATION)
        with server:
            click.echo(json.dumps(server.addresses))
            sys.stdout.flush()
            stop.wait()


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


def _read_json(path: Path) -> Any:
    """A saved answer, packed or not. Raises UsageError when the file is something else."""
    import gzip

    try:
        content = path.read_bytes()
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        return json.loads(plain)
    except (OSError, EOFError, ValueError) as error:
        raise click.UsageError(f"{path} is not a saved exchangeInfo: {error}") from error

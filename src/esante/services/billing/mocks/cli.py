"""The commands that run mocks of what is outside of the platform."""

from collections.abc import Sequence
from pathlib import Path

import click


@click.group()
def mock() -> None:
    """Run a mock of the health insurance or the bank, to test software against."""


@mock.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=8022, show_default=True, help="Where to listen.")
@click.option("--books", type=click.Path(path_type=Path, dir_okay=False), help="File of the books.  [default: none]")
@click.option("--latency", type=float, default=0.0, help="Seconds before each answer.")
@click.option("--reject", default="", metavar="CODE", help="Refuse orders with this reason, for example AC04.")
@click.option("--reject-iban", "reject_ibans", multiple=True, metavar="IBAN", help="Refuse only these.  [repeatable]")
@click.option("--silent", type=click.FloatRange(0, 1), default=0.0, help="The share of orders that get no answer.")
@click.option("--silent-after-taking", is_flag=True, help="Execute those orders all the same.")
@click.option("--duplicate", is_flag=True, help="Report each line of the statement twice.")
@click.option("--reorder", is_flag=True, help="Report lines in any order.")
def bank(host: str, port: int, books: Path | None, reject_ibans: Sequence[str], **behaviour: object) -> None:
    """Run a mock of the bank: it takes SEPA instant orders, answers and reports. GET /balance says what it paid."""
    import uvicorn

    from esante.services.billing.mocks.bank import Behaviour, MockBank, application

    ibans = frozenset(iban.replace(" ", "") for iban in reject_ibans)
    state = MockBank(Behaviour(reject_ibans=ibans, **behaviour), books)  # type: ignore[arg-type]  # click types them
    click.echo(f"the mock of the bank listens on http://{host}:{port}")
    uvicorn.run(application(state), host=host, port=port, log_level="warning")

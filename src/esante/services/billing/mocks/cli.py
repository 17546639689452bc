"""The commands that run mocks of what is outside of the platform."""

from collections.abc import Sequence
from pathlib import Path

import click


@click.group()
def mock() -> None:
    """Run a mock of the health insurance or the bank, to test software against."""


@mock.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=8021, show_default=True, help="Where to listen.")
@click.option("--latency", type=float, default=0.0, help="Seconds before each answer.")
@click.option(
    "--refuse", default="", metavar="SHARE|CODE", help="Refuse a share of messages (0 to 1), or all by a code."
)
@click.option("--silent", type=float, default=0.0, help="The share of messages that get no answer.")
@click.option("--duplicate", is_flag=True, help="Report each reimbursement twice.")
@click.option("--reorder", is_flag=True, help="Report a reimbursement before the consent is answered.")
@click.option("--down-after", type=int, default=0, help="Requests after which it is down (0: never).")
@click.option("--down-for", type=float, default=60.0, show_default=True, help="Seconds for which it is down then.")
@click.option("--anomaly", default="", metavar="CODE", help="Answer each fee note with an anomaly.")
@click.option("--reimburse-after", type=float, default=2.0, show_default=True, help="Seconds from consent to money.")
@click.option(
    "--callback", default="", metavar="URL", help="Where reimbursements are reported to; else they are asked."
)
@click.option("--token", default="", envvar="ESANTE_MOCK_TOKEN", help="The bearer token for the reports.")
@click.option("--seed", type=int, default=0, help="What the draws of faults begin with.")
def cns(
    host: str, port: int, anomaly: str, reimburse_after: float, callback: str, token: str, **faults: object
) -> None:
    """Run a mock of the health insurance (CNS). It prints what it gets, and forgets it when it ends.

    PUT /control/faults changes what goes wrong while it runs; GET /control/notes shows what became of the notes.
    """
    import uvicorn

    from esante.services.billing.mocks.cns import MockCns, create_app
    from esante.services.billing.mocks.faults import Faults

    state = MockCns(
        faults=Faults(**faults),  # type: ignore[arg-type]  # click gives them their types
        reimburse_after=reimburse_after,
        anomaly=anomaly,
        callback=callback,
        token=token,
        say=click.echo,
    )
    click.echo(f"the mock of the health insurance listens on http://{host}:{port}")
    uvicorn.run(create_app(state), host=host, port=port, log_level="warning", timeout_graceful_shutdown=1)


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

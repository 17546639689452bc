"""The demo served with the mocks of the health insurance and the bank, which tests can change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.billing_server import mock
from tests.support.demo_server import DemoServer, list_demo_people
from tests.support.mock_process import MockProcess
from tests.support.processes import Server, run_esante

PERSONS = 33


@dataclass
class BillingDemo:
    """The demo, and the mock of the health insurance, whose faults tests set."""

    demo: DemoServer
    cns: MockProcess


@contextmanager
def serve_billing_demo(folder: Path) -> Iterator[BillingDemo]:
    """Load a demo with its fee notes and payments, and serve it with its partners."""
    data, cns = folder / "data", MockProcess(folder, "cns", "--reimburse-after", "0")
    with mock("bank", log=folder / "bank.log") as bank:
        partners = {"ESANTE_CNS_URL": cns.url, "ESANTE_BANK_URL": bank, "ESANTE_CNS_TIMEOUT": "2"}
        options = ("--history", "0", "--persons", str(PERSONS), "--data", data)
        run_esante("demo", "--load-only", *options, **partners)
        run_esante("demo-background", "--data", data, **partners)
        server = Server(data, ESANTE_DEMO="1", ESANTE_RA_INTERVAL="1", ESANTE_RA_QUESTION_PAUSE="1", **partners)
        server.start()
        try:
            yield BillingDemo(DemoServer(server, list_demo_people(data)), cns)
        finally:
            server.stop()
            cns.stop()

"""A service is added by its folder and one line in a list: here by the setting, so that no file of the program changes."""

import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.support.demo_server import DemoServer, list_demo_people
from tests.support.processes import Server, run_esante

ROOT = Path(__file__).resolve().parents[1]
ADDED = {
    "ESANTE_SERVICES": "tests.support.sample_service",
    "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
    "ESANTE_APPOINTMENT_DAYS": "3",
}
PATIENT = "Anna Musterfra"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo of 20 persons with the sample service, served by a process of its own."""
    data = tmp_path_factory.mktemp("added") / "var"
    run_esante("demo", "--load-only", "--history", "0", "--persons", "20", "--data", data, **ADDED)
    with Server(data, ESANTE_DEMO="1", **ADDED) as server:
        yield DemoServer(server, list_demo_people(data))


@pytest.fixture(scope="module")
def browser(demo):
    """A client that is signed in to the portal as the patient with an appointment."""
    with httpx.Client(base_url=demo.base, follow_redirects=True) as client:
        page = client.get("/signin").text
        token = re.search(r'name="_csrf" value="([^"]*)"', page)
        persona = re.search(rf'name="persona" value="([^"]+)">{PATIENT}', page)
        assert token and persona
        client.post("/signin", data={"_csrf": token[1], "persona": persona[1], "next": "/"})
        yield client


def test_table_of_added_service_is_migrated_and_filled(demo):
    status = run_esante("db", "status", "--data", demo.data, **ADDED).stdout
    assert "applied  sample_service/0001 tables" in status
    assert run_esante("appointments", "count", "--data", demo.data, **ADDED).stdout == "1 appointments\n"


def test_command_of_added_service_is_listed_with_it_only():
    assert "appointments" in run_esante("--help", **ADDED).stdout
    assert "appointments" not in run_esante("--help").stdout


def test_page_of_added_service_is_in_the_navigation_and_on_the_home_page(browser):
    home = browser.get("/").text
    assert '<a href="/appointments"' in home
    assert "Next appointment" in home
    page = browser.get("/appointments")
    assert page.status_code == 200
    assert 'aria-current="page"' in page.text
    assert ":" in re.search(r"<li>([^<]*)</li>\s*</ul>\s*</main>", page.text)[1]


def test_catalogue_of_added_service_is_used(browser):
    assert ">Termine<" in browser.get("/", headers={"Accept-Language": "de"}).text


def test_route_of_added_service_is_in_the_capability_statement_and_answers(demo):
    statement = httpx.get(f"{demo.base}/fhir/metadata").json()
    [found] = [one for one in statement["rest"][0]["resource"] if one["type"] == "Appointment"]
    assert {"code": "search-type"} in found["interaction"]
    headers = {"Authorization": f"Bearer {demo.token(PATIENT)}"}
    bundle = httpx.get(f"{demo.base}/fhir/Appointment", headers=headers).json()
    assert [entry["resource"]["status"] for entry in bundle["entry"]] == ["booked"]


def test_event_of_added_service_makes_a_notice_and_a_line_of_the_access_log(browser):
    assert "/appointments" in browser.get("/notices").text
    assert "appointment" in browser.get("/log").text


def test_indicator_of_added_service_is_counted(demo):
    month = f"{datetime.now(UTC):%Y-%m}"
    run_esante("bulletin", "build", month, "--by", "Anna", "--data", demo.data, **ADDED)
    preview = run_esante("bulletin", "preview", month, "--by", "Ben", "--data", demo.data, **ADDED).stdout
    [line] = [line for line in preview.splitlines() if line.startswith("appointments_booked")]
    assert line.split()[1] == "1"


def test_journal_with_events_of_added_service_verifies_without_it(demo):
    assert "all is as it was written" in run_esante("journal", "verify", "--data", demo.data).stdout

"""Third-party SMART clients against a real server: fhirclient (Python) and fhir-kit-client (npm)."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from esante.core.web import COOKIE
from tests.support.processes import Server, run_esante
from tests.support.small_world import SmallWorld
from tests.support.smart_apps import consent_fields, forwarded_url
from tests.support.submissions import build_document_reference

CALLBACK = "http://127.0.0.1:9090/callback"
SCOPE = "launch/patient patient/Patient.read patient/DocumentReference.rs openid fhirUser offline_access"
TITLES = ["Courrier 0", "Courrier 1", "Courrier 2"]
ROOT = Path(__file__).resolve().parents[2]
APP = {
    "client_id": "tried",
    "client_name": "Tried",
    "maker": "Maker",
    "redirect_uris": [CALLBACK],
    "scope": f"{SCOPE} patient/*.cruds",
}


@dataclass
class ServedApp:
    """A server with a registered app, and a patient with a session."""

    base: str
    data: Path
    world: SmallWorld

    def authorize(self, url: str) -> str:
        """Open an authorization request as the patient and allow it; return the address of the response."""
        assert url.startswith(f"{self.base}/oauth/authorize?")
        with httpx.Client(cookies={COOKIE: self.world.cookies["patient"]}) as browser:
            fields = consent_fields(browser.get(url))
            grants = [value for name, value in fields if name == "grant"]
            data = dict(fields) | {"grant": grants, "decision": "allow"}
            response = browser.post(f"{self.base}/oauth/authorize/decision", data=data)
        callback_url = forwarded_url(response)
        assert callback_url.startswith(f"{CALLBACK}?")
        return callback_url


@pytest.fixture(scope="module")
def served_app(template: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApp]:
    """A served small world with three letters in the patient's record, and the app registered by the command."""
    data = tmp_path_factory.mktemp("smart") / "data"
    shutil.copytree(template.data, data, symlinks=True)
    file = data.parent / "app.json"
    file.write_text(json.dumps(APP), "utf-8")
    assert "registered tried: public" in run_esante("client", "register", "--data", data, file).stdout
    with Server(data) as server:
        subject = {"reference": f"Patient/{template.persons[0].id}"}
        headers = {**template.bearer("hospital"), "Content-Type": "application/fhir+json"}
        for title in TITLES:
            letter = build_document_reference(subject, title.encode(), title=title)
            response = httpx.post(f"{server.base}/fhir/DocumentReference", json=letter, headers=headers)
            assert response.status_code == 201, response.text
        yield ServedApp(server.base, data, template)
    shutil.rmtree(data, ignore_errors=True)


def test_fhirclient_launches_reads_and_refreshes(served_app: ServedApp) -> None:
    client = pytest.importorskip("fhirclient.client", reason="fhirclient is not installed: make install")
    from fhirclient.models.documentreference import DocumentReference

    settings = {"app_id": "tried", "api_base": f"{served_app.base}/fhir", "redirect_uri": CALLBACK, "scope": SCOPE}
    smart = client.FHIRClient(settings=settings)
    assert not smart.prepare()
    smart.handle_callback(served_app.authorize(smart.authorize_url))
    assert smart.ready
    patient = served_app.world.persons[0]
    assert smart.patient_id == str(patient.id)
    assert (smart.patient.id, smart.patient.name[0].family) == (str(patient.id), patient.family)
    assert smart.patient.birthDate.date == patient.birth_date
    assert titles(DocumentReference, smart) == TITLES
    before = smart.server.auth.access_token
    assert smart.reauthorize()
    assert smart.server.auth.access_token != before
    assert titles(DocumentReference, smart) == TITLES


def titles(kind: type, smart: object) -> list[str]:
    """Return the titles of the documents that fhirclient finds."""
    found = kind.where({"patient": smart.patient_id}).perform_resources_iter(smart.server)  # type: ignore[attr-defined]
    return sorted(one.content[0].attachment.title for one in found)


def test_fhir_kit_client_launches_and_reads(served_app: ServedApp) -> None:
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "fhir-kit-client").is_dir():
        pytest.skip("fhir-kit-client is not installed: make install")
    script = Path(__file__).with_name("smart_client.mjs")
    command = [node, script, f"{served_app.base}/fhir", "tried", CALLBACK, SCOPE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as app:
        assert app.stdin is not None and app.stdout is not None
        url = app.stdout.readline().decode().strip()
        out, err = app.communicate(served_app.authorize(url).encode() if url else b"", timeout=60)
    assert app.returncode == 0, err.decode()
    found = json.loads(out)
    patient = served_app.world.persons[0]
    assert found["patient"]["id"] == found["token"]["patient"] == str(patient.id)
    assert sorted(found["titles"]) == TITLES
    assert "patient/Patient.read" in found["token"]["scope"].split()


def test_client_commands_report_faults_list_and_disable(served_app: ServedApp, tmp_path: Path) -> None:
    file = tmp_path / "app.json"
    for content, complaint in (
        ("[]", "one JSON object"),
        (json.dumps(APP | {"redirect_uris": ["http://app.example/"]}), "must be https"),
    ):
        file.write_text(content, "utf-8")
        done = run_esante("client", "register", "--data", served_app.data, file, check=False)
        assert done.returncode == 1
        assert complaint in done.stderr and "Traceback" not in done.stderr
    file.write_text(json.dumps(APP | {"client_id": "other"}), "utf-8")
    run_esante("client", "register", "--data", served_app.data, file)
    assert "disabled other" in run_esante("client", "disable", "--data", served_app.data, "other").stdout
    listed = run_esante("client", "list", "--data", served_app.data).stdout.splitlines()
    assert [("disabled" in line) for line in listed] == [line.startswith("other") for line in listed] != []


def test_app_can_be_registered_before_the_first_start_of_a_server(tmp_path: Path) -> None:
    file = tmp_path / "app.json"
    file.write_text(json.dumps(APP), "utf-8")
    assert "registered tried" in run_esante("client", "register", "--data", tmp_path / "data", file).stdout

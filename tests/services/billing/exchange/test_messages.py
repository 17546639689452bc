"""Doctors' software at the exchange over HTTP: zeep as client, xmlsec signs and verifies, the platform pays."""

import copy
import uuid
from datetime import date, timedelta

import httpx
import pytest
import zeep
from lxml import etree
from zeep.plugins import HistoryPlugin
from zeep.transports import Transport

from esante.core.time_zone import today
from esante.services.billing.exchange.schemas import published_schemas
from tests.support.billing_server import CODE, OTHER_CODE, build_billing, mock, note_file
from tests.support.exchange import (
    CNS,
    COMMON,
    FAULT,
    WSSE,
    WSU,
    envelope,
    request_info,
    sign,
    token_request,
    verify_by_xmlsec,
)

SIM, VAL, CON = (f"2023-CNS-PID-{name}-V1" for name in ("SIM", "VAL", "CON"))
GOLDEN_DAY = date(2025, 4, 10)
"""A day on which the consultation of the published example had its price, and which is not too long ago."""
DEPOT, ANNUL, REMBCONS = (f"2022_CNS_MEMHON_{name}-V1" for name in ("DEPOT", "ANNUL", "REMBCONS"))


@pytest.fixture(scope="module")
async def billing(tmp_path_factory):
    """A served platform, with mocks of insurance and bank."""
    folder = tmp_path_factory.mktemp("billing")
    with mock("cns", log=folder / "cns.log") as cns, mock("bank", log=folder / "bank.log") as bank:
        built = await build_billing(folder, cns, bank)
        with built.server:
            yield built
        assert "balanced" in built.ledger()


@pytest.fixture(scope="module")
def certificate(billing):
    """The certificate with which answers are signed."""
    return httpx.get(f"{billing.exchange}/certificate.pem").content


class Signed:
    """A zeep plug-in of WS-Security: adds token, certificate and timestamp, and xmlsec signs and verifies."""

    def __init__(self, card, certificate, token=""):
        self._card, self._certificate, self.token = card, certificate, token

    def apply(self, message, headers):
        soap = etree.QName(message).namespace
        template = envelope("", soap=soap, card=self._card, token=self.token)
        header = copy.deepcopy(template[0])
        found = message.find(f"{{{soap}}}Header")
        if found is not None:
            message.remove(found)
        message.insert(0, header)
        message[-1].set(f"{{{WSU}}}Id", f"B-{uuid.uuid4()}")
        return sign(message, self._card), headers

    def verify(self, message):
        verify_by_xmlsec(etree.tostring(message), self._certificate)
        return message


class Software:
    """A doctor's software: zeep over the published WSDL."""

    def __init__(self, billing, certificate, card, code=CODE, port="Soap11"):
        self.security = Signed(card, certificate)
        self._history = HistoryPlugin()
        client = zeep.Client(
            f"{billing.exchange}?wsdl", wsse=self.security, transport=Transport(timeout=60), plugins=[self._history]
        )
        self._tokens = client.bind("TokenService", port)
        self._exchange = client.bind("ExchangeService", port)
        request = etree.fromstring(token_request(code, billing.exchange))
        answer = self._tokens.issue(_value_1=list(request))
        self.security.token = answer[0].findtext(f".//{{{WSSE}}}BinarySecurityToken")

    def call(self, model, content):
        """Send a message; return the element in the answer, which zeep could read by the published schemas."""
        answer = self._exchange.exchange(_value_1=content, modelUID=model)
        assert answer["modelUID"] == model
        assert answer["_value_1"] is not None
        return self._history.last_received["envelope"][-1][0][0]


@pytest.fixture(scope="module", params=["Soap11", "Soap12"])
def software(request, billing, certificate):
    """The software of the doctor, by both versions of SOAP."""
    return Software(billing, certificate, billing.card, port=request.param)


def simulation(matricule, code=CODE, *, note_id="", acts=("C1",), day=None):
    """Return a simulationMedecin."""
    day = day or today() - timedelta(days=1)
    lines = "".join(
        f"""<cns:LigneUTA><cns:identifiantExternePrestation>{uuid.uuid4()}</cns:identifiantExternePrestation>
        <cns:dateDebutPrestation>{day}</cns:dateDebutPrestation>
        <cns:acte><com:codeActe>{act}</com:codeActe><com:nombre>1</com:nombre></cns:acte>
        <cns:lieuDePrestation>01</cns:lieuDePrestation></cns:LigneUTA>"""
        for act in acts
    )
    return etree.fromstring(f"""<cns:simulationMedecin xmlns:cns="{CNS}" xmlns:com="{COMMON}"><cns:UTA>
      <cns:identifiantFacturier>{code}</cns:identifiantFacturier><cns:matricule>{matricule}</cns:matricule>
      <cns:idMemoireHonoraire>{note_id or uuid.uuid4()}</cns:idMemoireHonoraire>
      <cns:dateEtablissementMemoireHonoraire>{day}</cns:dateEtablissementMemoireHonoraire>
      <cns:Lignes>{lines}</cns:Lignes></cns:UTA></cns:simulationMedecin>""")


def validation(simulation_id, patient="true"):
    """Return a paiementMedecin."""
    return etree.fromstring(f"""<cns:paiementMedecin xmlns:cns="{CNS}">
      <cns:idReponseSimulation>{simulation_id}</cns:idReponseSimulation>
      <cns:indicateurValidationMedecin>true</cns:indicateurValidationMedecin>
      <cns:indicateurValidationPersonneProtegee>{patient}</cns:indicateurValidationPersonneProtegee>
      <cns:indicateurAcquittementParticipationPersonnelle>1</cns:indicateurAcquittementParticipationPersonnelle>
      </cns:paiementMedecin>""")


def values(element):
    """Return the texts of the elements of an answer by their names; the first of several."""
    found = {}
    for one in element.iter("{*}*"):
        if not len(one):
            found.setdefault(etree.QName(one).localname, one.text)
    return found


def code_of(error):
    """Return the code in the detail of a fault that zeep raised."""
    return error.value.detail.findtext(f".//{{{FAULT}}}code")


def schema(name="pid.xsd"):
    """Return a published schema."""

    class Published(etree.Resolver):
        def resolve(self, url, id_, context):
            return self.resolve_string(published_schemas()[url.rpartition("/")[2]], context)

    parser = etree.XMLParser()
    parser.resolvers.add(Published())
    return etree.XMLSchema(etree.fromstring(published_schemas()[name], parser, base_url=f"http://x/{name}"))


def test_golden_case_is_simulated_and_paid_once_for_ever(software, billing):
    matricule, note_id = billing.matricule(), str(uuid.uuid4())
    answer = software.call(SIM, simulation(matricule, note_id=note_id, day=GOLDEN_DAY))
    schema().assertValid(answer)
    found = values(answer)
    assert (found["totalPartStatutaire"], found["totalParticipationPersonelle"]) == ("50.78", "6.92")
    assert (found["sommeTotale"], found["montantOpposable"], found["nombreActeRembourse"]) == ("57.70", "57.70", "1")
    assert (found["matricule"], found["idMemoireHonoraire"]) == (matricule, note_id)
    paid = software.call(VAL, validation(found["identifiantReponseSimulation"]))
    schema().assertValid(paid)
    first = values(paid)
    assert (first["montantPartStatutaire"], first["montantRecouvrement"], first["montantPaye"]) == (
        "50.78",
        "0.00",
        "50.78",
    )
    again = values(software.call(VAL, validation(found["identifiantReponseSimulation"])))
    assert again == first


def test_repeated_simulation_has_the_same_id(software, billing):
    request = simulation(billing.matricule())
    first, second = (values(software.call(SIM, copy.deepcopy(request))) for _ in range(2))
    assert first["identifiantReponseSimulation"] == second["identifiantReponseSimulation"]


def test_refused_line_has_anomaly_that_can_be_contested(software, billing):
    answer = software.call(SIM, simulation(billing.matricule(), acts=("C1", "C1")))
    schema().assertValid(answer)
    (anomaly, *_) = answer.iter(f"{{{CNS}}}anomalie")
    found = values(anomaly)
    assert found["effet"] == "refused"
    assert found["motif"] != found["code"]
    contested = software.call(
        CON,
        etree.fromstring(f"""<cns:contestationSimulationMedecin xmlns:cns="{CNS}">
        <cns:identifiantReponseSimulation>{values(answer)["identifiantReponseSimulation"]}</cns:identifiantReponseSimulation>
        <cns:contestationAnomalie><cns:identifiantAnomalie>{found["identifiantAnomalie"]}</cns:identifiantAnomalie>
        <cns:codeContestation>1</cns:codeContestation></cns:contestationAnomalie>
        </cns:contestationSimulationMedecin>"""),
    )
    schema().assertValid(contested)
    assert values(contested)["etat"] == "open"
    assert values(contested)["identifiantAnomalie"] == found["identifiantAnomalie"]


def test_missing_confirmation_is_refused(software, billing):
    found = values(software.call(SIM, simulation(billing.matricule())))
    with pytest.raises(zeep.exceptions.Fault):
        software.call(VAL, validation(found["identifiantReponseSimulation"], patient="false"))


def test_simulation_of_another_doctor_cannot_be_paid_nor_contested(software, billing, certificate):
    other = Software(billing, certificate, billing.other_card, OTHER_CODE)
    found = values(other.call(SIM, simulation(billing.matricule(), OTHER_CODE)))
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(VAL, validation(found["identifiantReponseSimulation"]))
    assert code_of(refused) == "not-found"


def test_note_with_the_code_of_another_is_refused(software, billing):
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(SIM, simulation(billing.matricule(), OTHER_CODE))
    assert code_of(refused) == "provider-code"


def test_other_content_with_the_same_note_id_is_refused(software, billing):
    request = simulation(billing.matricule())
    software.call(SIM, copy.deepcopy(request))
    next(request.iter(f"{{{COMMON}}}nombre")).text = "2"
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(SIM, request)
    assert code_of(refused) == "duplicate"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("matricule", "123"),
        ("matricule", "198005100000١"),
        ("identifiantFacturier", "1"),
        ("idMemoireHonoraire", "x"),
        ("dateEtablissementMemoireHonoraire", "yesterday"),
        ("nombre", "0"),
        ("nombre", "100"),
        ("nombre", "-1"),
        ("codeActe", ""),
        ("codeActe", "X" * 11),
        ("lieuDePrestation", "001"),
    ],
)
def test_content_against_the_schema_is_refused_with_its_place(software, billing, name, text):
    request = simulation(billing.matricules[0])
    next(request.iter(f"{{*}}{name}")).text = text
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(SIM, request)
    assert code_of(refused) == "content"
    assert name in refused.value.detail.findtext(f".//{{{FAULT}}}place")


def test_message_of_another_model_is_refused(software, billing):
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(VAL, simulation(billing.matricules[0]))
    assert code_of(refused) == "content"


def test_unknown_person_and_person_without_insurance_look_the_same(software, billing):
    known = billing.matricule()
    httpx.put(f"{billing.cns}/control/insured/{known}", json={"covers": []}).raise_for_status()
    reasons = []
    for matricule in ("1999123199999", known):
        with pytest.raises(zeep.exceptions.Fault) as refused:
            software.call(SIM, simulation(matricule))
        reasons.append((code_of(refused), refused.value.message))
    assert reasons[0] == reasons[1]


def test_note_is_deposited_and_cancelled(software, billing):
    body = etree.fromstring(note_file(billing.matricule()))
    note_id = body.findtext(".//{*}UUID")
    answer = values(software.call(DEPOT, copy.deepcopy(body)))
    assert answer == {"UuidPrestataire": note_id, "UuidSecu": note_id}
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(DEPOT, body)
    assert code_of(refused) == "duplicate"
    cancelled = software.call(
        ANNUL,
        etree.fromstring(f"""<cns:annulationMemoireHonoraire xmlns:cns="{CNS}">
        <cns:UUIDPrestataire>{uuid.uuid4()}</cns:UUIDPrestataire>
        <cns:UUIDDocumentAnnule>{note_id}</cns:UUIDDocumentAnnule><cns:TypeAnnulation>1</cns:TypeAnnulation>
        <cns:Motif>wrong act</cns:Motif></cns:annulationMemoireHonoraire>"""),
    )
    assert values(cancelled)["UuidPrestataire"] == note_id


def test_note_that_was_paid_is_not_deposited_and_the_reverse(software, billing):
    matricule, note_id = billing.matricule(), uuid.uuid4()
    found = values(software.call(SIM, simulation(matricule, note_id=note_id)))
    software.call(VAL, validation(found["identifiantReponseSimulation"]))
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(DEPOT, etree.fromstring(note_file(matricule, id=note_id)))
    assert code_of(refused) == "duplicate"
    assert "pid" in refused.value.message
    matricule, note_id = billing.matricule(), uuid.uuid4()
    software.call(DEPOT, etree.fromstring(note_file(matricule, id=note_id)))
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(SIM, simulation(matricule, note_id=note_id))
    assert code_of(refused) == "duplicate"
    assert "ra" in refused.value.message


def test_deposit_with_the_code_of_another_or_of_no_note_is_refused(software, billing):
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(DEPOT, etree.fromstring(note_file(billing.matricules[0], code=OTHER_CODE)))
    assert code_of(refused) == "provider-code"
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(DEPOT, simulation(billing.matricules[0]))
    assert code_of(refused) == "content"


def test_note_of_another_cannot_be_cancelled(software, billing, certificate):
    other = Software(billing, certificate, billing.other_card, OTHER_CODE)
    body = etree.fromstring(note_file(billing.matricule(), code=OTHER_CODE))
    other.call(DEPOT, body)
    request = etree.fromstring(f"""<cns:annulationMemoireHonoraire xmlns:cns="{CNS}">
        <cns:UUIDPrestataire>{uuid.uuid4()}</cns:UUIDPrestataire>
        <cns:UUIDDocumentAnnule>{body.findtext(".//{*}UUID")}</cns:UUIDDocumentAnnule>
        <cns:TypeAnnulation>1</cns:TypeAnnulation><cns:Motif>x</cns:Motif></cns:annulationMemoireHonoraire>""")
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(ANNUL, request)
    assert code_of(refused) == "not-found"


def test_consent_of_the_patient_cannot_be_given_by_the_doctor(software, billing):
    request = etree.fromstring(f"""<cns:consentement xmlns:cns="{CNS}"><cns:UUIDSecu>{uuid.uuid4()}</cns:UUIDSecu>
        <cns:idenitifiantUnique>1</cns:idenitifiantUnique></cns:consentement>""")
    with pytest.raises(zeep.exceptions.Fault) as refused:
        software.call(REMBCONS, request)
    assert code_of(refused) == "forbidden"


def test_insurance_that_is_silent_gives_fault_to_be_retried(billing, software):
    faults = f"{billing.cns}/control/faults"
    httpx.put(faults, json={"silent": 1.0}).raise_for_status()
    try:
        with pytest.raises(zeep.exceptions.Fault) as refused:
            software.call(SIM, simulation(billing.matricule()))
        assert code_of(refused) == "transient"
    finally:
        httpx.put(faults, json={"silent": 0.0}).raise_for_status()


def test_message_as_software_in_use_writes_it_is_answered(billing, certificate):
    """The body alone is signed, with inclusive namespaces, no timestamp, and its certificate as second token."""
    software = Software(billing, certificate, billing.card)
    content = etree.tostring(simulation(billing.matricule(), day=GOLDEN_DAY)).decode()
    message = envelope(request_info(SIM, content), card=billing.card, token=software.security.token, lifetime=0)
    response = httpx.post(
        billing.exchange,
        content=etree.tostring(sign(message, billing.card, ["Body"])),
        headers={"Content-Type": "text/xml;charset=UTF-8", "SOAPAction": "exchange"},
    )
    assert response.status_code == 200, response.text
    assert values(verify_by_xmlsec(response.content, certificate))["totalPartStatutaire"] == "50.78"

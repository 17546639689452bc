"""Immediate direct payment as national messages: simulation (SIM), validation (VAL), contestation (CON)."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from lxml import etree

from esante.services.billing.adjudication.model import Effect, Finding, LineDecision
from esante.services.billing.adjudication.words import explain
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.model import Signer
from esante.services.billing.exchange.names import CNS, COMMON
from esante.services.billing.exchange.schemas import check_content
from esante.services.billing.payment.model import Payment
from esante.services.billing.pid.model import (
    Confirmations,
    Contestation,
    NoteRequest,
    Objection,
    RequestedLine,
    Simulation,
)
from esante.services.billing.pid.service import ImmediatePayments

_NAMES = {"c": CNS, "com": COMMON}


class PidMessages:
    """Answers the messages of immediate direct payment."""

    def __init__(self, payments: ImmediatePayments) -> None:
        self._payments = payments

    async def simulate(self, signer: Signer, content: etree._Element, language: str) -> etree._Element:
        """Answer a simulation (simulationMedecin). Raises: `Problem`."""
        check_content(content, f"{{{CNS}}}simulationMedecin")
        request = read_simulation(content)
        if request.provider_code != signer.provider_code:
            raise fault("provider-code", "simulationMedecin/UTA/identifiantFacturier")
        found = await self._payments.simulate_request(signer.requester, request)
        return write_simulation(found, request.matricule, language)

    async def validate(self, signer: Signer, content: etree._Element, language: str) -> etree._Element:
        """Answer a validation (paiementMedecin). Raises: `Problem`."""
        check_content(content, f"{{{CNS}}}paiementMedecin")
        simulation_id = _uuid(content, "c:idReponseSimulation")
        await self._require_own(signer, simulation_id)
        confirmations = Confirmations(
            doctor=_flag(content, "indicateurValidationMedecin"),
            patient=_flag(content, "indicateurValidationPersonneProtegee"),
            personal_share=_flag(content, "indicateurAcquittementParticipationPersonnelle"),
        )
        return write_payment(await self._payments.validate(signer.requester, simulation_id, confirmations))

    async def contest(self, signer: Signer, content: etree._Element, language: str) -> etree._Element:
        """Answer a contestation (contestationSimulationMedecin). Raises: `Problem`."""
        check_content(content, f"{{{CNS}}}contestationSimulationMedecin")
        simulation_id = _uuid(content, "c:identifiantReponseSimulation")
        await self._require_own(signer, simulation_id)
        objections = [
            Objection(finding_id=_uuid(one, "c:identifiantAnomalie"), code=_text(one, "c:codeContestation"))
            for one in content.findall("c:contestationAnomalie", _NAMES)
        ]
        found = await self._payments.contest(signer.requester, simulation_id, objections)
        return write_contestations(simulation_id, found)

    async def _require_own(self, signer: Signer, simulation_id: UUID) -> None:
        """Raise Problem 404 for another's simulation, 403 for one of another provider code than the token's."""
        simulation = await self._payments.simulation(signer.requester, simulation_id)
        if simulation.note.biller.provider_code != signer.provider_code:
            raise fault("provider-code", "idReponseSimulation")


def read_simulation(content: etree._Element) -> NoteRequest:
    """Return the note of a valid simulationMedecin."""
    (uta,) = content.findall("c:UTA", _NAMES)
    return NoteRequest(
        provider_code=_text(uta, "c:identifiantFacturier"),
        matricule=_text(uta, "c:matricule"),
        note_id=_uuid(uta, "c:idMemoireHonoraire"),
        issued_on=_day(uta, "c:dateEtablissementMemoireHonoraire"),
        lines=tuple(_read_line(line) for line in uta.findall("c:Lignes/c:LigneUTA", _NAMES)),
    )


def _read_line(line: etree._Element) -> RequestedLine:
    return RequestedLine(
        id=_uuid(line, "c:identifiantExternePrestation"),
        on=_day(line, "c:dateDebutPrestation"),
        code=_text(line, "c:acte/com:codeActe"),
        quantity=int(_text(line, "c:acte/com:nombre")),
        place=_text(line, "c:lieuDePrestation"),
    )


def write_simulation(simulation: Simulation, matricule: str, language: str) -> etree._Element:
    """Return the answer simulationMedecinRetour, its explanations in a language."""
    root = etree.Element(f"{{{CNS}}}simulationMedecinRetour", nsmap={"cns": CNS})
    answer, decided = etree.SubElement(root, f"{{{CNS}}}UTARetour"), simulation.adjudication
    _add(answer, identifiantReponseSimulation=simulation.id, matricule=matricule, idMemoireHonoraire=decided.note_id)
    _add(
        answer,
        totalPartStatutaire=decided.statutory,
        totalParticipationPersonelle=decided.personal,
        sommeTotale=decided.total,
        dateLimite=simulation.expires_at,
    )
    lines = etree.SubElement(answer, f"{{{CNS}}}Lignes")
    for line in decided.lines:
        _write_line(etree.SubElement(lines, f"{{{CNS}}}LigneUTARetour"), line, language)
    _write_anomalies(answer, decided.findings, language)
    return root


def _write_line(element: etree._Element, line: LineDecision, language: str) -> None:
    _add(
        element,
        identifiantPrestation=line.line_id,
        nombreActeRembourse=0 if line.is_refused else line.quantity,
        partStatutaire=line.statutory,
        participationPersonelle=line.personal + line.convenience,
        montantOpposable=line.tariff,
    )
    _write_anomalies(element, line.findings, language)


def _write_anomalies(parent: etree._Element, findings: Iterable[Finding], language: str) -> None:
    for finding in findings:
        if finding.effect is Effect.RATE:
            continue
        words = explain(finding, language)
        element = etree.SubElement(parent, f"{{{CNS}}}anomalie")
        _add(element, identifiantAnomalie=finding.id, code=finding.rule, effet=finding.effect.value, motif=words.title)
        for name, text in (("remede", words.remedy), ("baseLegale", finding.legal_source)):
            if text:
                _add(element, **{name: text})


def write_payment(payment: Payment) -> etree._Element:
    """Return the answer paiementMedecinRetour."""
    root = etree.Element(f"{{{CNS}}}paiementMedecinRetour", nsmap={"cns": CNS})
    _add(
        root,
        montantPartStatutaire=payment.statutory,
        montantRecouvrement=payment.recovered,
        montantPaye=payment.amount,
        identifiantInitiationPaiement=payment.id,
    )
    return root


def write_contestations(simulation_id: UUID, found: Iterable[Contestation]) -> etree._Element:
    """Return the answer contestationSimulationMedecinRetour."""
    root = etree.Element(f"{{{CNS}}}contestationSimulationMedecinRetour", nsmap={"cns": CNS})
    _add(root, identifiantReponseSimulation=simulation_id)
    for one in found:
        _add(
            etree.SubElement(root, f"{{{CNS}}}contestation"),
            identifiantContestation=one.id,
            identifiantAnomalie=one.finding_id,
            etat=one.state.value,
            dateLimite=one.due_at,
        )
    return root


def _add(parent: etree._Element, **values: UUID | Decimal | datetime | int | str | None) -> None:
    """Add elements by their names: amounts with two decimals, moments in UTC."""
    for name, value in values.items():
        text = f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else str(value)
        etree.SubElement(parent, f"{{{CNS}}}{name}").text = f"{value:.2f}" if isinstance(value, Decimal) else text


def _text(element: etree._Element, path: str) -> str:
    return (element.findtext(path, "", _NAMES) or "").strip()


def _uuid(element: etree._Element, path: str) -> UUID:
    return UUID(_text(element, path))


def _day(element: etree._Element, path: str) -> date:
    """Return a day (xs:date); a zone, which the schema allows, changes nothing of a calendar day."""
    try:
        return date.fromisoformat(_text(element, path)[:10])
    except ValueError as error:
        raise fault("content", path.rpartition(":")[2]) from error


def _flag(content: etree._Element, name: str) -> bool:
    return _text(content, f"c:{name}") in ("true", "1")

"""JSON endpoints of immediate payment under /pid/v1, with the names of the national messages.

A refusal is JSON (see `answers`); where immediate payment cannot be had now, its `fallback` names the way that is left
and the id of the note, which stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.web import N_, bad_request, read_body, translator
from esante.identity.access import Access
from esante.services.billing.adjudication.model import Adjudication, Effect, Finding
from esante.services.billing.adjudication.words import explain
from esante.services.billing.answers import NO_STORE, answering
from esante.services.billing.payment.model import Payee, Payment
from esante.services.billing.payment.payees import Payees
from esante.services.billing.pid.model import (
    Confirmations,
    Contestation,
    Eligibility,
    NoteRequest,
    Objection,
    RequestedLine,
    Simulation,
)
from esante.services.billing.pid.rules import REASONS
from esante.services.billing.pid.service import ImmediatePayments

PREFIX = "/pid/v1"
MAX_BODY = 1024 * 1024
MAX_LINES = 500
_LANGUAGE = "fr"
"""That of the message's names."""
T = TypeVar("T")


class _Acte(msgspec.Struct, frozen=True):
    codeActe: str
    nombre: int = 1


class _Ligne(msgspec.Struct, frozen=True):
    acte: _Acte
    dateDebutPrestation: date
    identifiantExternePrestation: UUID | None = None
    lieuDePrestation: str = ""
    codeH: str = ""


class _Simulation(msgspec.Struct, frozen=True):
    identifiantFacturier: str
    matricule: str
    idMemoireHonoraire: UUID
    dateEtablissementMemoireHonoraire: date
    lignes: list[_Ligne]
    numeroAccident: str = ""


class _Paiement(msgspec.Struct, frozen=True):
    idReponseSimulation: UUID
    indicateurValidationMedecin: bool
    indicateurValidationPersonneProtegee: bool
    indicateurAcquittementParticipationPersonnelle: bool


class _Anomalie(msgspec.Struct, frozen=True):
    identifiantAnomalie: UUID
    codeContestation: str
    texte: str = ""


class _Contestation(msgspec.Struct, frozen=True):
    identifiantReponseSimulation: UUID
    contestationAnomalie: list[_Anomalie]


class _Annulation(msgspec.Struct, frozen=True):
    motif: str


def routes(payments: ImmediatePayments, payees: Payees, access: Access) -> list[Route]:
    """Return the routes under /pid/v1."""
    api = _PidEndpoints(payments, payees, access)
    return [
        Route(f"{PREFIX}/eligibility", answering(api.eligibility), methods=["GET"]),
        Route(f"{PREFIX}/simulations", answering(api.simulate), methods=["POST"]),
        Route(f"{PREFIX}/simulations/{{id}}", answering(api.read), methods=["GET"]),
        Route(f"{PREFIX}/payments", answering(api.validate), methods=["POST"]),
        Route(f"{PREFIX}/contestations", answering(api.contest), methods=["POST"]),
        Route(f"{PREFIX}/notes/{{id}}/cancel", answering(api.cancel), methods=["POST"]),
        Route(f"{PREFIX}/notes/{{id}}/payment", answering(api.payment), methods=["GET"]),
        Route(f"{PREFIX}/providers/{{code}}/accounts", answering(api.accounts), methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class _PidEndpoints:
    payments: ImmediatePayments
    payees: Payees
    access: Access

    async def eligibility(self, request: Request) -> Response:
        """Answer whether a person is insured: `matricule`, `date`."""
        requester = await self.access.authorize(request, "CoverageEligibilityRequest", "c")
        query = request.query_params
        found = await self.payments.eligibility(requester, query.get("matricule", ""), _day(query.get("date", "")))
        return _answer(_eligibility(found))

    async def simulate(self, request: Request) -> Response:
        """Simulate a note (SIM); with `remplace` in the query, one that corrects a validated note."""
        requester = await self.access.authorize(request, "Claim", "c")
        asked = await _read(request, _Simulation)
        if not 0 < len(asked.lignes) <= MAX_LINES:
            raise bad_request("lignes", N_("The fee note has no acts, or too many."), detail=f"1-{MAX_LINES}")
        replaced = request.query_params.get("remplace")
        replaces_id = _uuid(replaced) if replaced else None
        found = await self.payments.simulate_request(requester, _note_request(asked), replaces_id=replaces_id)
        return _answer(simulation_json(found), 201)

    async def read(self, request: Request) -> Response:
        """Return a simulation again."""
        requester = await self.access.authorize(request, "Claim", "r")
        return _answer(simulation_json(await self.payments.simulation(requester, _path_id(request))))

    async def validate(self, request: Request) -> Response:
        """Have a simulated note paid (VAL)."""
        requester = await self.access.authorize(request, "Claim", "c")
        asked = await _read(request, _Paiement)
        confirmations = Confirmations(
            doctor=asked.indicateurValidationMedecin,
            patient=asked.indicateurValidationPersonneProtegee,
            personal_share=asked.indicateurAcquittementParticipationPersonnelle,
        )
        paid = await self.payments.validate(requester, asked.idReponseSimulation, confirmations)
        return _answer(payment_json(paid), 201)

    async def contest(self, request: Request) -> Response:
        """Contest findings of a simulation (CON)."""
        requester = await self.access.authorize(request, "Claim", "c")
        asked = await _read(request, _Contestation)
        objections = [
            Objection(finding_id=one.identifiantAnomalie, code=one.codeContestation, text=one.texte)
            for one in asked.contestationAnomalie
        ]
        found = await self.payments.contest(requester, asked.identifiantReponseSimulation, objections)
        return _answer({"contestations": [_contestation(one) for one in found]}, 201)

    async def cancel(self, request: Request) -> Response:
        """Cancel a validated note: what was paid is recovered from the next payments."""
        requester = await self.access.authorize(request, "Claim", "u")
        asked = await _read(request, _Annulation)
        return _answer(payment_json(await self.payments.reversals.cancel(requester, _path_id(request), asked.motif)))

    async def payment(self, request: Request) -> Response:
        """Return the payment of a note of the requester."""
        requester = await self.access.authorize(request, "PaymentReconciliation", "r")
        return _answer(payment_json(await self.payments.reversals.payment(requester, _path_id(request))))

    async def accounts(self, request: Request) -> Response:
        """Return the accounts of a provider code, without their numbers."""
        requester = await self.access.authorize(request, "PaymentReconciliation", "r")
        found = await self.payees.of_provider(requester, request.path_params["code"])
        return _answer({"comptes": [_payee(one) for one in found]})


def simulation_json(simulation: Simulation) -> dict[str, Any]:
    """Return a simulation with the names of simulationMedecinRetour."""
    adjudication = simulation.adjudication
    return {
        "identifiantReponseSimulation": str(simulation.id),
        "matricule": simulation.note.patient.matricule,
        "idMemoireHonoraire": str(simulation.note.id),
        "valableJusque": simulation.expires_at.isoformat(),
        "totalPartStatutaire": f"{adjudication.statutory:.2f}",
        "totalParticipationPersonelle": f"{adjudication.personal:.2f}",
        "sommeTotale": f"{adjudication.total:.2f}",
        "lignes": _lines(simulation, adjudication),
        "anomalies": [_finding(one) for one in adjudication.findings],
        **({"identifiantInitiationPaiement": str(simulation.payment_id)} if simulation.payment_id else {}),
        **({"remplace": str(simulation.replaces_id)} if simulation.replaces_id else {}),
    }


def payment_json(payment: Payment) -> dict[str, Any]:
    """Return a payment with the names of paiementMedecinRetour."""
    return {
        "montantPartStatutaire": f"{payment.statutory:.2f}",
        "montantRecouvrement": f"{payment.recovered:.2f}",
        "montantPaye": f"{payment.amount:.2f}",
        "identifiantInitiationPaiement": str(payment.id),
        "idMemoireHonoraire": str(payment.note_id),
        "etat": payment.state.value,
        **({"motif": payment.cause} if payment.cause else {}),
        **({"payeLe": payment.settled_at.isoformat()} if payment.settled_at else {}),
        **({"annuleLe": payment.cancelled_at.isoformat()} if payment.cancelled_at else {}),
    }


def _lines(simulation: Simulation, adjudication: Adjudication) -> list[dict[str, Any]]:
    return [
        {
            "numeroLigne": line.number,
            **({"identifiantPrestation": str(line.line_id)} if line.line_id else {}),
            "codeActe": line.code,
            "nombreActeRembourse": line.quantity,
            "partStatutaire": f"{line.statutory:.2f}",
            "participationPersonelle": f"{line.personal:.2f}",
            "convenancePersonnelle": f"{line.convenience:.2f}",
            "montantOpposable": f"{line.tariff:.2f}",
            "anomalies": [_finding(one) for one in line.findings if one.effect is not Effect.RATE],
        }
        for line in adjudication.lines
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    words = explain(finding, _LANGUAGE)
    return {
        "identifiantAnomalie": str(finding.id),
        "regle": finding.rule,
        "effet": finding.effect.value,
        "libelle": words.title,
        "remede": words.remedy,
        "baseLegale": finding.legal_source,
    }


def _eligibility(found: Eligibility) -> dict[str, Any]:
    covers = [
        {
            "caisse": one.fund,
            "depuis": one.since.isoformat(),
            "jusque": one.until.isoformat() if one.until else None,
            "tiersPayantSocial": one.third_party_payer,
        }
        for one in found.covers
    ]
    words = translator(_LANGUAGE).gettext(REASONS[found.reason]) if found.reason else ""
    return {
        "matricule": found.matricule,
        "date": found.on.isoformat(),
        "eligible": found.eligible,
        "affiliations": covers,
        **({"motif": found.reason, "libelle": words} if found.reason else {}),
    }


def _contestation(one: Contestation) -> dict[str, Any]:
    return {
        "identifiantContestation": str(one.id),
        "identifiantAnomalie": str(one.finding_id),
        "regle": one.rule,
        "codeContestation": one.code,
        "etat": one.state.value,
        "reponseJusque": one.due_at.isoformat(),
        "reponse": one.answer,
    }


def _payee(payee: Payee) -> dict[str, Any]:
    return {
        "iban": payee.masked_iban,
        "titulaire": payee.name,
        "verification": payee.match.value,
        "etat": payee.state.value,
        "depuis": payee.proposed_at.isoformat(),
    }


def _note_request(asked: _Simulation) -> NoteRequest:
    return NoteRequest(
        provider_code=asked.identifiantFacturier,
        matricule=asked.matricule,
        note_id=asked.idMemoireHonoraire,
        issued_on=asked.dateEtablissementMemoireHonoraire,
        accident_number=asked.numeroAccident,
        lines=tuple(
            RequestedLine(
                id=one.identifiantExternePrestation,
                on=one.dateDebutPrestation,
                code=one.acte.codeActe,
                quantity=one.acte.nombre,
                place=one.lieuDePrestation,
                hospital_class=one.codeH,
            )
            for one in asked.lignes
        ),
    )


async def _read(request: Request, kind: type[T]) -> T:
    """Return the body as a message. Raises: `Problem` 400 with the place of what is wrong."""
    try:
        return msgspec.json.decode(await read_body(request, MAX_BODY), type=kind)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at ")
        title = N_("This message does not have the right form.")
        raise bad_request(place.strip("`"), title, N_("See the description of the interface."), detail=text) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request("", N_("This request is not valid JSON."), code="structure") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise bad_request("date", N_("This is no day."), N_("Write it as 2026-01-31."), code="value") from error


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise bad_request("id", N_("This is no UUID."), code="value") from error


def _path_id(request: Request) -> UUID:
    return _uuid(request.path_params["id"])


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(dict(body), status, headers=NO_STORE)

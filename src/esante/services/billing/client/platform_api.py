"""The calls of the client to the platform: simulate, pay, deposit, ask what is known."""

from typing import Any
from uuid import UUID

import httpx

from .model import Confirmations, Known, Refused, Simulation, Unavailable, Way
from .note_file import NoteFile

_AWAY = frozenset({401, 407, 408, 425, 429})
"""Refusals that say nothing of the note: wait, or sign in again."""
TIMEOUT = httpx.Timeout(10.0, connect=3.0)


class PlatformApi:
    """The platform at `url`; `token`: a bearer token, `ehealth_id`: the professional's, for deposits.

    `language` is that of causes. `http`: with client certificate, proxy or other times where needed.
    """

    def __init__(
        self, url: str, token: str, ehealth_id: str, http: httpx.Client | None = None, language: str = "fr"
    ) -> None:
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._url, self._ehealth_id = url.rstrip("/"), ehealth_id
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}

    def simulate(self, note: NoteFile) -> Simulation:
        """Simulate a note (SIM); nothing happens by it. Raises: `Unavailable`, `Refused`."""
        found = self._call("POST", "/pid/v1/simulations", json=note.request)
        if found.get("idMemoireHonoraire", "").lower() != note.id:
            raise Unavailable("an answer about another note")
        return Simulation(
            id=_uuid(found, "identifiantReponseSimulation"),
            statutory=_need(found, "totalPartStatutaire"),
            personal=_need(found, "totalParticipationPersonelle"),
            total=_need(found, "sommeTotale"),
        )

    def pay(self, simulation_id: str, confirmed: Confirmations) -> str:
        """Have a simulated note paid (VAL); return the id of its payment. Raises: `Unavailable`, `Refused`."""
        body = {
            "idReponseSimulation": simulation_id,
            "indicateurValidationMedecin": confirmed.doctor,
            "indicateurValidationPersonneProtegee": confirmed.patient,
            "indicateurAcquittementParticipationPersonnelle": confirmed.personal_share,
        }
        return _uuid(self._call("POST", "/pid/v1/payments", json=body), "identifiantInitiationPaiement")

    def deposit(self, note: NoteFile) -> None:
        """Deposit a note for accelerated reimbursement (RA). Raises: `Unavailable`, `Refused`."""
        headers = {"Content-Type": "application/zip"}
        self._call("POST", self._document(note), content=note.package(), headers=headers)

    def known(self, note: NoteFile) -> Known | None:
        """Return what the platform knows of a note of this professional, None: nothing. Raises: as the others."""
        try:
            found = self._call("GET", f"/pid/v1/notes/{note.id}/payment")
            payment_id = _uuid(found, "identifiantInitiationPaiement")
            return Known(way=Way.PID, payment_id=payment_id, cancelled="annuleLe" in found)
        except Refused as refused:
            if refused.status != 404:
                raise
        try:
            found = self._call("GET", f"{self._document(note)}/{note.id}")
            return Known(way=Way.RA, cancelled=str(found.get("status", "")).startswith("CANCEL"))
        except Refused as refused:
            if refused.status != 404:
                raise
        return None

    def _document(self, note: NoteFile) -> str:
        return f"/ra/v1/practitioner/{self._ehealth_id}/person/{note.matricule}/document"

    def _call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **content: Any
    ) -> dict[str, Any]:
        try:
            response = self._http.request(
                method, f"{self._url}{path}", headers=self._headers | (headers or {}), **content
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        if response.status_code >= 500 or response.status_code in _AWAY or response.is_redirect:
            raise Unavailable(f"HTTP {response.status_code} {_cause(response)}")
        if response.is_client_error:
            raise Refused(response.status_code, _cause(response))
        found = _json(response)
        if found is None:
            raise Unavailable(f"HTTP {response.status_code} without an answer of the platform")
        return found


def _json(response: httpx.Response) -> dict[str, Any] | None:
    """Return the object that a response is, None for anything else (a page of a proxy)."""
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _cause(response: httpx.Response) -> str:
    """Return what a refusal says: title, detail, place and remedy."""
    found = _json(response) or {}
    parts = [
        str(found[name]) for name in ("title", "error_description", "detail", "place", "remedy") if found.get(name)
    ]
    return " · ".join(parts)[:1000] or f"HTTP {response.status_code}"


def _need(found: dict[str, Any], name: str) -> str:
    if not isinstance(found.get(name), str):
        raise Unavailable(f"an answer without {name}")
    return str(found[name])


def _uuid(found: dict[str, Any], name: str) -> str:
    try:
        return str(UUID(_need(found, name)))
    except ValueError as error:
        raise Unavailable(f"an answer without {name}") from error

"""What the pages of the SOC share: who looks, the words for what is shown, problems of forms."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core import clock
from esante.core.storage import parse_uuid
from esante.core.web import N_, Problem, bad_request, gettext_of
from esante.identity.access import Access, Requester
from esante.services.soc.alerts.model import LEVEL_NAMES, ORIGIN_NAMES
from esante.services.soc.cases.model import ENTRY_WORDS, OUTCOME_NAMES, STATE_NAMES, Outcome, Tlp
from esante.services.soc.cases.playbooks import PHASE_NAMES, packaged_playbooks

OPERATOR, CONTACT = "/operator/soc", "/security"
"""Where the pages of operators and of contacts are."""
MAX_WORDS = 100
LANGUAGE_NAMES = {"fr": "Français", "de": "Deutsch", "en": "English", "lb": "Lëtzebuergesch"}
_SHOWN_IN_FORM = (400, 409)
"""Status codes of problems that a page shows beside its forms; others have a page of their own."""
_TONES = {0: "", 1: "", 2: "warn", 3: "danger", 4: "danger"}


async def page_requester(request: Request, access: Access) -> Requester:
    """Return who looks at a page: an operator at the pages of operators, a professional at those of contacts."""
    kind = "operator" if request.url.path.startswith(OPERATOR) else "practitioner"
    return await access.page_requester(request, (kind,))


def place_of(requester: Requester) -> str:
    """Return where the pages of somebody are."""
    return OPERATOR if requester.kind == "operator" else CONTACT


def words(request: Request, requester: Requester) -> dict[str, Any]:
    """Return what every template of the SOC gets. `say` translates a text of data, which may have a percent sign."""
    gettext, place = gettext_of(request), place_of(requester)
    books = packaged_playbooks()

    def happened(kind: str, params: Mapping[str, Any]) -> str:
        return str(filled(gettext(ENTRY_WORDS.get(kind, kind)), params))

    return {
        "place": place,
        "queue_place": f"{place}/alerts",
        "is_operator": place == OPERATOR,
        "requester_id": requester.id,
        "say": lambda text: gettext(text) if text else "",
        "happened": happened,
        "level_names": LEVEL_NAMES,
        "level_tones": _TONES,
        "origin_names": ORIGIN_NAMES,
        "state_names": STATE_NAMES,
        "outcome_names": OUTCOME_NAMES,
        "outcomes": [*Outcome],
        "tlps": [*Tlp],
        "phase_names": PHASE_NAMES,
        "playbooks": books.by_key,
        "steps": books.steps,
        "saved": request.query_params.get("saved", ""),
        "at": clock.now(),
    }


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with its values; as it stands where they do not fit."""
    try:
        return text % values
    except (KeyError, TypeError, ValueError):
        return text


def shown(problem: Problem) -> Problem:
    """Return a problem that a page shows. Raises: the problem, where it has a page of its own."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def text_of(form: FormData, name: str) -> str:
    """Return a field of a form as text, "" where it is missing or a file."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def number_of(form: FormData, name: str) -> int:
    """Return a field of a form as a whole number. Raises: Problem 400."""
    text = text_of(form, name).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise bad_request(name, N_("This is not a whole number."), code="value")
    return int(text)


def keys_of(form: FormData, name: str) -> list[UUID]:
    """Return the keys in the fields of a name, each with one or several. Raises: Problem 400."""
    try:
        return [parse_uuid(part) for value in form.getlist(name) for part in str(value).split()]
    except ValueError as error:
        raise bad_request(name, N_("Choose a value of the list."), code="value") from error

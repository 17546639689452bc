"""What the pages of the console share: where they are, who looks, the words for what is shown."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core import clock
from esante.core.web import N_, Problem, bad_request, gettext_of
from esante.identity.access import Access, Requester
from esante.services.soc.alerts.model import LEVEL_NAMES, ORIGIN_NAMES
from esante.services.soc.sources.model import SOURCE_KIND_NAMES, SourceKind

OPERATOR, CONTACT = "/operator/soc", "/security"
"""Where the pages of operators and of contacts are."""
PLACES = (OPERATOR, CONTACT)
MAX_WORDS = 100
TONES: Mapping[int, str] = {0: "", 1: "", 2: "warn", 3: "danger", 4: "danger"}
INTERVALS = ("", "15", "60", "240", "1440", "10080")
"""The minutes to choose from within which something has to come from a source; "": nothing has to."""
_SHOWN_IN_FORM = (400, 409)
"""Status codes of problems that a page shows beside its forms; others have a page of their own."""


async def page_requester(request: Request, access: Access) -> Requester:
    """Return who looks at a page: an operator at the pages of operators, a professional at those of contacts."""
    kind = "operator" if request.url.path.startswith(OPERATOR) else "practitioner"
    return await access.page_requester(request, (kind,))


def place_of(requester: Requester) -> str:
    """Return where the pages of somebody are."""
    return OPERATOR if requester.kind == "operator" else CONTACT


def words(request: Request, requester: Requester) -> dict[str, Any]:
    """Return what every template of the console gets. `say` translates a text of data."""
    gettext, place = gettext_of(request), place_of(requester)
    return {
        "place": place,
        "is_operator": place == OPERATOR,
        "say": lambda text: gettext(text) if text else "",
        "level_names": LEVEL_NAMES,
        "level_tones": TONES,
        "origin_names": ORIGIN_NAMES,
        "source_kinds": SOURCE_KIND_NAMES,
        "saved": request.query_params.get("saved", ""),
        "at": clock.now(),
    }


def shown(problem: Problem) -> Problem:
    """Return a problem that a page shows. Raises: the problem, where it has a page of its own."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def text_of(form: FormData, name: str) -> str:
    """Return a field of a form as text, "" where it is missing or a file."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def minutes_of(every: timedelta | None) -> str:
    """Return a time in minutes as forms have it, "" for none."""
    return str(int(every.total_seconds() // 60)) if every is not None else ""


def kind_of(form: FormData) -> SourceKind:
    """Return the kind in a form. Raises: Problem 400."""
    try:
        return SourceKind(text_of(form, "kind"))
    except ValueError as error:
        raise bad_request("kind", N_("Choose a value of the list."), code="value") from error


def interval_of(form: FormData) -> timedelta | None:
    """Return the time within which something has to come, None for none. Raises: Problem 400."""
    text = text_of(form, "every")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise bad_request("every", N_("Choose a value of the list."), code="value")
    return timedelta(minutes=int(text))

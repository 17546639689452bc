"""Pages for everybody: help, contact, the privacy notice and the accessibility statement."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.contract import Platform
from esante.core.dated_data import packaged_text
from esante.core.time_zone import today
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, gettext_of, render
from esante.portal.navigation import EVERYONE

HELP_ROLES = {
    "patient": N_("Patients"),
    "practitioner": N_("Health professionals"),
    "organization": N_("Hospitals and laboratories"),
    "vendor": N_("Software vendors"),
    "researcher": N_("Researchers"),
    "operator": N_("Agency staff"),
}
"""The audiences of the help page, in their order."""
_MAX_WORDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpTopic:
    """A question of the help page with its answer, both msgids (a table of `data/help.toml` of a package).

    `role`: for whom, "everyone" for all; `url`: the page where it is done.
    """

    role: str
    label: str
    display: str
    order: int
    url: str = ""


def routes(platform: Platform) -> list[Route]:
    """Return the routes of the pages for everybody."""
    topics = read_topics(service.package for service in platform.services)

    async def show_help(request: Request) -> Response:
        return await _show_help(request, topics)

    async def show_contact(request: Request) -> Response:
        return await render(request, "portal/contact.html")

    async def show_privacy(request: Request) -> Response:
        day = today()
        kept = [(one, one.how_long(day)) for one in platform.declared("kept")]
        return await render(request, "portal/privacy.html", kept=kept, day=day)

    async def show_accessibility(request: Request) -> Response:
        return await render(request, "portal/accessibility.html", statement=accessibility_statement())

    return [
        Route("/help", show_help),
        Route("/contact", show_contact),
        Route("/privacy", show_privacy),
        Route("/accessibility", show_accessibility),
    ]


@cache
def accessibility_statement() -> Json:
    """Return what the accessibility statement says (data/accessibility.toml)."""
    return tomllib.loads(packaged_text("esante.portal", "accessibility.toml"))


def read_topics(packages: Iterable[str]) -> list[HelpTopic]:
    """Return the topics of the help page that packages declare."""
    found = []
    for package in packages:
        file = files(package) / "data" / "help.toml"
        if file.is_file():
            found += [HelpTopic(**topic) for topic in tomllib.loads(file.read_text("utf-8"))["topic"]]
    return found


async def _show_help(request: Request, topics: Sequence[HelpTopic]) -> Response:
    """Show the questions for a role, by default that of who is signed in; with `?q=` those with its words."""
    session = await request.app.state.sessions.of(request)
    own = session.principal["kind"] if session else "patient"
    role = request.query_params.get("role", own)
    if role not in HELP_ROLES:
        raise Problem(404, "not-found", NOT_FOUND)
    text = request.query_params.get("q", "").strip()[:_MAX_WORDS]
    found = topics_for(topics, role, text, gettext_of(request))
    return await render(request, "portal/help.html", role=role, roles=HELP_ROLES, topics=found, q=text, own=own)


def topics_for(topics: Iterable[HelpTopic], role: str, text: str, gettext: Any) -> list[HelpTopic]:
    """Return the topics for a role that have every word of `text` in their question or answer, by their order."""
    words = text.casefold().split()

    def fits(topic: HelpTopic) -> bool:
        shown = f"{gettext(topic.label)} {gettext(topic.display)}".casefold()
        return topic.role in (role, EVERYONE) and all(word in shown for word in words)

    return sorted(filter(fits, topics), key=lambda topic: (topic.role == EVERYONE, topic.order))

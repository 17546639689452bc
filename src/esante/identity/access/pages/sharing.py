"""Pages of patients about sharing: the record, presence codes, the circle, blocks, oppositions."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import segno
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, gettext_of, read_form, redirect, render
from esante.identity.access.audit.access_log import GRANT_KINDS
from esante.identity.access.choices import choice_terms
from esante.identity.access.consent.oppositions import care_opposition
from esante.identity.access.consent.presence_codes import longest_duration
from esante.identity.access.consent.record_states import TRANSITIONS
from esante.identity.access.disposition.model import Act
from esante.identity.access.model import Against, GrantKind, RecordState, Requester
from esante.identity.access.pages.form_fields import form_day, form_text, form_uuid, require_risk
from esante.identity.access.reasons import REASONS
from esante.identity.access.regulation.policy_set import RulesInForce, policy_set
from esante.identity.access.rules import ACCESS_LOG
from esante.identity.access.service import Access
from esante.identity.directory import Directory, Organization, Practitioner, ProfessionalsRead

_DURATIONS = (
    (1, N_("For one appointment.")),
    (24, N_("For today, with time to read your record after the appointment.")),
    (24 * 7, N_("For a treatment with several appointments.")),
)
_LONGEST = N_("As long as the law allows.")
_PATIENT = ("patient",)
_MAX_RESULTS = 10
_TITLES = frozenset(["dr", "doctor", "docteur", "doktor", "dokter", "prof", "professor", "professeur"])
"""Words that people write before a name, and that are no part of it."""


def routes(access: Access, directory: Directory, categories: Mapping[str, str]) -> list[Route]:
    """Return the routes of sharing; `categories`: the names (msgids) of the document classes."""

    async def show_sharing(request: Request) -> Response:
        return await _show_sharing(request, access, categories)

    async def search_people(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        return await _search_people(request, requester, directory, categories)

    async def issue_code(request: Request) -> Response:
        if request.method == "GET":
            return redirect("/sharing")
        return await _issue_code(request, access)

    async def change_sharing(request: Request) -> Response:
        requester = await access.page_requester(request, _PATIENT)
        form = await read_form(request)
        await _change_sharing(access, requester, request.path_params["act"], form)
        return redirect("/sharing")

    return [
        Route("/sharing", show_sharing),
        Route("/sharing/people", search_people),
        Route("/sharing/code", issue_code, methods=["GET", "POST"]),
        Route("/sharing/{act}", change_sharing, methods=["POST"]),
    ]


async def _show_sharing(request: Request, access: Access, categories: Mapping[str, str]) -> Response:
    requester = await access.page_requester(request, _PATIENT)
    record = await access.lifecycle.find_record(requester.id)
    planned = await access.dispositions.find_open(requester.id)
    rules = policy_set().at(clock.now())
    accesses = [one for one in await access.who_can_see(requester.id) if one.reason != "stay-refused"]
    return await render(
        request,
        "access/sharing.html",
        record=record,
        state=record.state if record else RecordState.NONE,
        deletion=next((one for one in planned if one.act is Act.DELETE), None),
        accesses=[one for one in accesses if one.grant],
        representatives=[one for one in accesses if one.representation],
        oppositions=await access.oppositions.list_current(requester.id, Against.DEPOSIT),
        categories=categories,
        terms=choice_terms(today()),
        reasons=REASONS,
        blocks=await access.restrictions.list_blocks(requester.id),
        refusals=await access.grants.list_refusals(requester.id),
        durations=code_durations(rules),
        usual_hours=_hours(rules.policy.code_default),
        has_circle=_is_offered(rules, GrantKind.CIRCLE),
        kinds=GRANT_KINDS,
        RecordState=RecordState,
    )


async def _issue_code(request: Request, access: Access) -> Response:
    """Issue a presence code and show it: it is shown in this response only."""
    requester = await access.page_requester(request, _PATIENT)
    form = await read_form(request)
    hours = form_text(form, "hours")
    if not (hours.isascii() and hours.isdigit() and len(hours) <= 5):
        raise bad_request("hours", N_("Choose how long the access lasts."), code="value")
    code = await access.codes.issue(requester, timedelta(hours=int(hours)))
    return await render(
        request,
        "access/code.html",
        code=code,
        hours=int(hours),
        redeem=policy_set().at(clock.now()).policy.code_redeem,
        qr=qr_code(code, gettext_of(request)(N_("QR code for the doctor to scan"))),
    )


def code_durations(rules: RulesInForce) -> list[tuple[int, str]]:
    """Return the durations of a code's grant to choose from, in hours with an explanation; [] without codes."""
    context = rules.context_of_kind(GrantKind.PRESENCE)
    if context is None or not context.allowed:
        return []
    longest = _hours(longest_duration(context))
    return [*(one for one in _DURATIONS if one[0] < longest), (longest, _LONGEST)]


def _hours(duration: timedelta | None) -> int:
    return int(duration / timedelta(hours=1)) if duration else 0


def _is_offered(rules: RulesInForce, kind: GrantKind) -> bool:
    context = rules.context_of_kind(kind)
    return context is not None and context.allowed


def qr_code(text: str, title: str) -> Markup:
    """Return a QR code (ISO/IEC 18004; not a Micro QR code, which phones do not read) of `text` as inline SVG."""
    svg: str = segno.make_qr(text, error="m").svg_inline(
        border=4, light="#fff", omitsize=True, title=title, svgclass="qr-code"
    )
    return Markup(svg)  # noqa: S704 - segno escapes the title, and the text becomes modules only


async def _search_people(
    request: Request, requester: Requester, directory: Directory, categories: Mapping[str, str]
) -> Response:
    """Search professionals and organisations: to add to the circle, to block, or to oppose their deposits."""
    purpose = request.query_params.get("for", "circle")
    if purpose not in ("circle", "block", "oppose"):
        raise Problem(404, "not-found", NOT_FOUND)
    text = request.query_params.get("q", "").strip()
    name = " ".join(word for word in text.split() if word.casefold().strip(".") not in _TITLES)
    cursor = request.query_params.get("cursor") or None
    practitioners = await directory.search_practitioners(name, None, cursor, _MAX_RESULTS) if name else None
    organizations = await directory.search_organizations(text, None, None, _MAX_RESULTS) if name else None
    for type_, page in (("Practitioner", practitioners), ("Organization", organizations)):
        if page:
            event = ProfessionalsRead(type=type_, by=("name",), found=tuple(one.id for one in page.items))
            await directory.record_look(event, actor=requester.actor, origin=requester.origin)
    found = practitioners.items if practitioners else []
    return await render(
        request,
        "access/people.html",
        purpose=purpose,
        q=text,
        practitioners=practitioners,
        workplaces=await _workplaces(found, directory),
        organizations=organizations if purpose != "circle" and not cursor else None,
        terms=directory.catalogue,
        risks=choice_terms(today()).risks,
        categories=_depositable(categories),
        today=today(),
    )


def _depositable(categories: Mapping[str, str]) -> dict[str, str]:
    """Return the names of the document classes that professionals add."""
    rules = policy_set().at(clock.now())
    own = rules.holder_writes | {ACCESS_LOG}
    return {key: label for key, label in categories.items() if key in rules.categories.keys() - own}


async def _workplaces(practitioners: Sequence[Practitioner], directory: Directory) -> dict[UUID, list[Organization]]:
    """Return the organisations where each of the practitioners has a role today."""
    day = today()
    ids = {
        one.id: dict.fromkeys(role.organization_id for role in one.roles if role.is_in_force(day))
        for one in practitioners
    }
    organizations = await directory.organizations({key for keys in ids.values() for key in keys})
    return {id_: [organizations[key] for key in keys if key in organizations] for id_, keys in ids.items()}


async def _change_sharing(access: Access, requester: Requester, act: str, form: FormData) -> None:
    if act in TRANSITIONS:
        await access.lifecycle.change(requester, act)
    elif act == "revoke":
        await access.grants.revoke(requester, form_uuid(form, "grant"))
    elif act == "allow-stays":
        await access.grants.allow_stays(requester, form_uuid(form, "organization"))
    elif act == "extend-stay":
        await access.stays.agree(requester, form_uuid(form, "grant"))
    elif act == "circle":
        await access.grants.add_to_circle(requester, form_uuid(form, "subject"))
    elif act == "block":
        confirmed = require_risk(form, "block")
        await access.restrictions.block(
            requester, form_text(form, "kind"), form_uuid(form, "subject"), risk_confirmed=confirmed
        )
    elif act == "oppose":
        confirmed = require_risk(form, "deposit")
        opposition = care_opposition(
            Against.DEPOSIT,
            form_uuid(form, "subject"),
            form_day(form, "care_from"),
            form_day(form, "care_until"),
            form_text(form, "document_class"),
        )
        await access.oppositions.oppose(requester, form_text(form, "kind"), opposition, risk_confirmed=confirmed)
    elif act == "lift":
        await access.oppositions.lift(requester, form_uuid(form, "opposition"))
    elif act == "unblock":
        await access.restrictions.unblock(requester, form_uuid(form, "subject"))
    elif act in ("stop", "start"):
        confirmed = act == "stop" and require_risk(form, "sharing")
        await access.restrictions.set_sharing(requester, act == "start", risk_confirmed=confirmed)
    else:
        raise Problem(404, "not-found", NOT_FOUND)

"""Pages of professionals: presence codes, patients, emergencies."""

from datetime import date

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, read_form, redirect, render
from esante.identity.access.audit.access_log import GRANT_KINDS
from esante.identity.access.consent.grants import offered_context
from esante.identity.access.model import GrantKind
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.service import Access
from esante.identity.access.stays.hospital_stays import EMERGENCY

_PRACTITIONER = ("practitioner",)
_SHOWN_IN_FORM = (400, 404, 422, 429)
"""Status codes of problems that a form shows beside its fields; others have a page of their own."""


def routes(access: Access) -> list[Route]:
    """Return the routes of professionals."""

    async def patients(request: Request) -> Response:
        return await _show_patients(request, access)

    async def redeem_code(request: Request) -> Response:
        requester = await access.page_requester(request, _PRACTITIONER)
        if request.method == "GET":
            return redirect("/patients")
        form = await read_form(request)
        try:
            grant = await access.codes.redeem(requester, form_text(form, "code"))
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await _show_patients(request, access, problem)
        return redirect(f"/patients/{grant.person_id}")

    async def declare_emergency(request: Request) -> Response:
        return await _declare_emergency(request, access)

    async def register_admission(request: Request) -> Response:
        return await _register_admission(request, access)

    async def acknowledge_verdict(request: Request) -> Response:
        requester = await access.page_requester(request, _PRACTITIONER)
        await read_form(request)
        await access.emergencies.acknowledge(requester, request.path_params["grant_id"])
        return redirect("/")

    async def reply(request: Request) -> Response:
        requester = await access.page_requester(request, _PRACTITIONER)
        form = await read_form(request)
        await access.review_questions.reply(requester, request.path_params["question_id"], form_text(form, "reply"))
        return redirect("/")

    return [
        Route("/patients", patients),
        Route("/patients/code", redeem_code, methods=["GET", "POST"]),
        Route("/emergency", declare_emergency, methods=["GET", "POST"]),
        Route("/emergency/admission", register_admission, methods=["GET", "POST"]),
        Route("/emergency/questions/{question_id:uuid}", reply, methods=["POST"]),
        Route("/emergency/verdicts/{grant_id:uuid}", acknowledge_verdict, methods=["POST"]),
    ]


async def _show_patients(request: Request, access: Access, problem: Problem | None = None) -> Response:
    requester = await access.page_requester(request, _PRACTITIONER)
    text = request.query_params.get("q", "").strip()[:100]
    cursor = request.query_params.get("cursor") or None
    order = "name" if request.query_params.get("order") == "name" else ""
    return await render(
        request,
        "access/patients.html",
        problem.status if problem else 200,
        headers=problem.headers if problem else None,
        problem=problem,
        page=await access.grants.list_patients(requester, text, cursor, by_name=order == "name"),
        q=text,
        order=order,
        kinds=GRANT_KINDS,
    )


async def _declare_emergency(request: Request, access: Access) -> Response:
    requester = await access.page_requester(request, _PRACTITIONER)
    now, form, problem = clock.now(), FormData(), None
    context = offered_context(GrantKind.EMERGENCY, now)
    if request.method == "POST":
        form = await read_form(request)
        try:
            _require_confirmation(form)
            grant = await access.emergencies.declare(
                requester,
                form_text(form, "identifier"),
                _parse_birth_date(form_text(form, "birth_date")),
                form_text(form, "reason"),
            )
            return redirect(f"/patients/{grant.person_id}")
        except Problem as error:
            if error.status not in _SHOWN_IN_FORM:
                raise
            problem = error
    return await render(
        request,
        "access/emergency.html",
        problem.status if problem else 200,
        headers=problem.headers if problem else None,
        problem=problem,
        form={name: form_text(form, name) for name in ("identifier", "birth_date", "reason")},
        terms=policy_set().at(now).policy,
        ends=context.ceiling(now),
        may_register=await access.stays.may_report(requester),
    )


async def _register_admission(request: Request, access: Access) -> Response:
    """Register an emergency admission at the hospital where the professional works."""
    requester = await access.page_requester(request, _PRACTITIONER)
    if not await access.stays.may_report(requester):
        raise Problem(404, "not-found", NOT_FOUND)
    now, form, problem = clock.now(), FormData(), None
    context = offered_context(GrantKind.STAY, now, EMERGENCY)
    if request.method == "POST":
        form = await read_form(request)
        try:
            birth_date = _parse_birth_date(form_text(form, "birth_date"))
            stay = await access.stays.register_emergency(requester, form_text(form, "identifier"), birth_date)
            return redirect(f"/patients/{stay.person_id}")
        except Problem as error:
            if error.status not in _SHOWN_IN_FORM:
                raise
            problem = error
    return await render(
        request,
        "access/admission.html",
        problem.status if problem else 200,
        headers=problem.headers if problem else None,
        problem=problem,
        form={name: form_text(form, name) for name in ("identifier", "birth_date")},
        ends=context.ceiling(now),
    )


def _require_confirmation(form: FormData) -> None:
    if form_text(form, "confirmed") != "yes":
        raise bad_request("confirmed", N_("Confirm that this is an emergency."), code="required")


def _parse_birth_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise bad_request(
            "birth_date", N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value"
        ) from error

"""The pages of labels: the public list, also as JSON, and the operators' reviews."""

from datetime import UTC
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from esante.core.types import Json
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.labels.model import (
    END_CAUSE_NAMES,
    LABEL_STATE_NAMES,
    LabelState,
    ListedLabel,
)
from esante.services.conformance.labels.rules import REVIEWS_NEEDED
from esante.services.conformance.labels.service import Labels
from esante.services.conformance.pages.form_values import form_texts, searched, shown
from esante.services.conformance.pages.report_pages import report_context, report_file
from esante.services.conformance.pages.vendor_pages import OPERATOR
from esante.services.conformance.rules import LONGEST

PUBLIC, OPERATORS = "/software/labelled", "/operator/labels"


def routes(labels: Labels, access: Access) -> list[BaseRoute]:
    """Return the routes of labels."""
    public, operators = _PublicPages(labels), _OperatorPages(labels, access)
    label = f"{OPERATORS}/{{label_id:uuid}}"
    return [
        Route(PUBLIC, public.show),
        Route(f"{PUBLIC}.json", public.data),
        Route(OPERATORS, operators.list, methods=["GET"]),
        Route(label, operators.show, methods=["GET"]),
        Route(f"{label}/report.{{format:str}}", operators.file, methods=["GET"]),
        Route(f"{label}/approve", operators.approve, methods=["POST"]),
        Route(f"{label}/refuse", operators.refuse, methods=["POST"]),
        Route(f"{label}/withdraw", operators.withdraw, methods=["POST"]),
    ]


class _PublicPages:
    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    async def show(self, request: Request) -> Response:
        """Show the labels that hold today."""
        text, kit = searched(request), _kit_of(request)
        page = await self._labels.published(text, kit, request.query_params.get("cursor"))
        return await render(request, "conformance/labelled.html", page=page, q=text, chosen=kit, kits=kits())

    async def data(self, request: Request) -> Response:
        """Answer with a page of the labels: `labels`, and `next`, the address of the following ones."""
        page = await self._labels.published(searched(request), _kit_of(request), request.query_params.get("cursor"))
        found: Json = {"labels": [_entry(one) for one in page.items]}
        if page.next:
            following = request.url.include_query_params(cursor=page.next)
            found["next"] = f"{following.path}?{following.query}"
        return JSONResponse(found, headers={"Cache-Control": "no-store"})


def _kit_of(request: Request) -> str:
    """Return the kit of a search. Raises: Problem 404 for an unknown one."""
    kit = request.query_params.get("kit", "")
    if kit and kit not in kits():
        raise Problem(404, "not-found", NOT_FOUND)
    return kit


def _entry(listed: ListedLabel) -> Json:
    """Return what is published of a label."""
    label = listed.label
    assert label.granted_at is not None and label.until is not None
    entry: Json = {
        "id": str(label.label_id),
        "product": listed.product,
        "vendor": listed.vendor,
        "version": listed.version,
        "kit": label.kit,
        "kitVersion": label.kit_version,
        "since": label.granted_at.astimezone(UTC).isoformat(timespec="seconds"),
        "until": label.until.isoformat(),
    }
    if label.run_again_by:
        entry["runAgainBy"] = label.run_again_by.isoformat()
    return entry


class _OperatorPages:
    def __init__(self, labels: Labels, access: Access) -> None:
        self._labels, self._access = labels, access

    async def list(self, request: Request) -> Response:
        """List labels and applications; at first the applications that wait."""
        requester = await self._access.page_requester(request, OPERATOR)
        text, state = searched(request), request.query_params.get("state", LabelState.APPLIED.value)
        if state and state not in LABEL_STATE_NAMES:
            raise Problem(404, "not-found", NOT_FOUND)
        return await render(
            request,
            "conformance/labels.html",
            page=await self._labels.search(requester, text, state, request.query_params.get("cursor")),
            q=text,
            chosen=state,
            states=LABEL_STATE_NAMES,
            kits=kits(),
        )

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a label with its evidence and reviews, and what may be done."""
        requester = await self._access.page_requester(request, OPERATOR)
        label_id: UUID = request.path_params["label_id"]
        case = await self._labels.case(requester, label_id)
        run, content = await self._labels.report(requester, label_id)
        label = case.listed.label
        return await render(
            request,
            "conformance/label.html",
            problem.status if problem else 200,
            problem=problem,
            values=form_texts(form, "reason"),
            case=case,
            label=label,
            kit=kits().get(label.kit),
            run=run,
            report=report_context(request, content),
            reviewed=any(review.operator_id == requester.id for review in case.reviews),
            needed=REVIEWS_NEEDED,
            states=LABEL_STATE_NAMES,
            causes=END_CAUSE_NAMES,
            longest=LONGEST,
        )

    async def file(self, request: Request) -> Response:
        """Send the report that is the evidence as JSON, JWS or PDF."""
        requester = await self._access.page_requester(request, OPERATOR)
        run, content = await self._labels.report(requester, request.path_params["label_id"])
        return await report_file(request, run, content, request.path_params["format"])

    async def approve(self, request: Request) -> Response:
        """Approve an application."""
        return await self._decide(request, approved=True)

    async def refuse(self, request: Request) -> Response:
        """Refuse an application."""
        return await self._decide(request, approved=False)

    async def _decide(self, request: Request, *, approved: bool) -> Response:
        requester = await self._access.page_requester(request, OPERATOR)
        form, label_id = await read_form(request), request.path_params["label_id"]
        try:
            await self._labels.review(
                requester, label_id, approved=approved, reason=form_texts(form, "reason")["reason"]
            )
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OPERATORS}/{label_id}")

    async def withdraw(self, request: Request) -> Response:
        """Withdraw a label."""
        requester = await self._access.page_requester(request, OPERATOR)
        form, label_id = await read_form(request), request.path_params["label_id"]
        try:
            await self._labels.withdraw(requester, label_id, form_texts(form, "reason")["reason"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OPERATORS}/{label_id}")

"""Pages of operators: which legal category each type of documents belongs to, and changes of that by two operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    P_,
    Page,
    Problem,
    bad_request,
    decode_offset_cursor,
    encode_cursor,
    gettext_of,
    read_form,
    redirect,
    render,
)
from esante.identity.access.assignments.change_store import AssignmentChange
from esante.identity.access.assignments.changes import MAX_SOURCE
from esante.identity.access.assignments.simulation import Simulation
from esante.identity.access.model import Requester
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.regulation.assignment import Assignment
from esante.identity.access.regulation.policy_set import PolicySet, policy
from esante.identity.access.service import Access
from esante.identity.directory import catalogue

PLACE = "/operator/assignments"
STATES = {
    "proposed": P_("proposal", "Waiting"),
    "confirmed": P_("proposal", "Confirmed"),
    "withdrawn": P_("proposal", "Withdrawn"),
}
_OPERATOR = ("operator",)
_SHOWN_IN_FORM = (400, 403, 409)
_PAGE_SIZE, _MAX_TEXT = 20, 100


@dataclass(frozen=True, slots=True)
class DocumentType:
    """A document class on a day: its name and that of its legal category (in the reader's language), what changes."""

    key: str
    name: str
    category: str
    assignment: Assignment
    proposals: int
    planned: AssignmentChange | None


def routes(access: Access, classes: Mapping[str, str]) -> list[Route]:
    """Return the routes of the sorting; `classes`: the names (msgids) of the document classes."""
    pages = _AssignmentPages(access, classes)
    return [
        Route(PLACE, pages.types),
        Route(f"{PLACE}/changes", pages.changes),
        Route(f"{PLACE}/changes/{{change_id:uuid}}", pages.change),
        Route(f"{PLACE}/changes/{{change_id:uuid}}/confirm", pages.confirm, methods=["POST"]),
        Route(f"{PLACE}/changes/{{change_id:uuid}}/withdraw", pages.withdraw, methods=["POST"]),
        Route(f"{PLACE}/types/{{key:str}}", pages.type, methods=["GET"]),
        Route(f"{PLACE}/types/{{key:str}}", pages.propose, methods=["POST"]),
        Route(f"{PLACE}/types/{{key:str}}/simulation", pages.simulation),
    ]


class _AssignmentPages:
    def __init__(self, access: Access, classes: Mapping[str, str]) -> None:
        self._access, self._assignments, self._classes = access, access.assignments, classes

    async def types(self, request: Request) -> Response:
        """List the document classes with their legal categories."""
        requester = await self._access.page_requester(request, _OPERATOR)
        text, category = _words(request), request.query_params.get("category", "")
        rules = await self._assignments.current()
        if category and category not in {one.key for one in rules.matrix.categories}:
            raise Problem(404, "not-found", NOT_FOUND)
        found = [
            one
            for one in await self._list_types(request, requester, rules)
            if category in ("", one.assignment.category)
            and _has_words(text, one.name, one.category, one.assignment.legal_source)
        ]
        page = _page_of(found, request)
        return await render(
            request, "access/assignments.html", page=page, q=text, category=category, **self._names(rules)
        )

    async def _list_types(self, request: Request, requester: Requester, rules: PolicySet) -> list[DocumentType]:
        """Return all document classes of today by name."""
        translate, day = gettext_of(request), today()
        labels = {one.key: translate(one.label) for one in rules.matrix.categories}
        changes = await self._assignments.list_changes(requester)
        begun = {one.document_class: one for one in rules.assignments if one.valid_from <= day}
        found = []
        for key, one in begun.items():
            own = [change for change in changes if change.document_class == key]
            planned = [change for change in own if change.state == "confirmed" and change.valid_from > day]
            found.append(
                DocumentType(
                    key,
                    translate(self._classes.get(key, key)),
                    labels[one.category],
                    one,
                    sum(change.state == "proposed" for change in own),
                    min(planned, key=lambda change: change.valid_from, default=None),
                )
            )
        return sorted(found, key=lambda one: one.name.casefold())

    async def type(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a document class, its past and planned categories, and the form of a change."""
        requester = await self._access.page_requester(request, _OPERATOR)
        rules = await self._assignments.current()
        types = await self._list_types(request, requester, rules)
        found = next((one for one in types if one.key == request.path_params["key"]), None)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        changes = [one for one in await self._assignments.list_changes(requester) if one.document_class == found.key]
        return await render(
            request,
            "access/assignment_type.html",
            problem.status if problem else 200,
            problem=problem,
            type=found,
            history=[one for one in rules.assignments if one.document_class == found.key][::-1],
            changes=changes,
            first_day=today() + timedelta(days=1),
            chosen=request.query_params,
            states=STATES,
            **self._names(rules),
        )

    async def simulation(
        self, request: Request, problem: Problem | None = None, values: Mapping[str, str] | None = None
    ) -> Response:
        """Show what a change would do, and the form that proposes it; `values`: of a proposal that was refused."""
        requester = await self._access.page_requester(request, _OPERATOR)
        values = values or request.query_params
        try:
            day = _parse_day(values.get("valid_from", ""))
            effect, same = await self._effect(
                request, requester, request.path_params["key"], values.get("category", ""), day
            )
        except Problem as error:
            return await self.type(request, error)
        if same:
            return Response(status_code=204)  # unchanged: a screen reader should not read the page out again
        return await render(
            request,
            "access/assignment_simulation.html",
            problem.status if problem else 200,
            problem=problem,
            reason=values.get("reason", ""),
            longest=MAX_SOURCE,
            **effect,
        )

    async def _effect(
        self, request: Request, requester: Requester, document_class: str, category: str, day: date
    ) -> tuple[dict[str, Any], bool]:
        """Return what a template shows of a change, and whether the reader has seen it as it is."""
        shown = request.query_params.get("shown")
        found = await self._assignments.simulate(requester, document_class, category, day, journalled=shown is None)
        count, rules = await self._assignments.counts.ask(), await self._assignments.current()
        effect = {
            "simulation": found,
            "emptied": _is_emptied(rules, found),
            "count": count,
            "here": count.of(document_class),
            "least": policy(today()).least_count,
            "poll": str(request.url.include_query_params(shown=count.percent).replace(scheme="", netloc="")),
            **self._names(rules),
        }
        return effect, shown == str(count.percent) and count.ended_at is None

    async def propose(self, request: Request) -> Response:
        """Propose the change that was simulated."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        values = {name: form_text(form, name) for name in ("category", "valid_from", "reason")}
        try:
            day = _parse_day(values["valid_from"])
            change = await self._assignments.propose(
                requester, request.path_params["key"], values["category"], day, values["reason"]
            )
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.simulation(request, problem, values)
        return redirect(f"{PLACE}/changes/{change.id}")

    async def changes(self, request: Request) -> Response:
        """List the changes of a state."""
        requester = await self._access.page_requester(request, _OPERATOR)
        text, state = _words(request), request.query_params.get("state", "proposed")
        if state not in STATES:
            raise Problem(404, "not-found", NOT_FOUND)
        rules, translate = await self._assignments.current(), gettext_of(request)
        labels = {one.key: translate(one.label) for one in rules.matrix.categories}
        found = [
            one
            for one in await self._assignments.list_changes(requester)
            if one.state == state
            and _has_words(
                text,
                translate(self._classes.get(one.document_class, one.document_class)),
                labels.get(one.category, one.category),
                one.legal_source,
                one.proposer,
                one.confirmer,
                one.withdrawer,
            )
        ]
        return await render(
            request,
            "access/assignment_changes.html",
            page=_page_of(found, request),
            q=text,
            state=state,
            states=STATES,
            **self._names(rules),
        )

    async def change(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a change; of one that waits, what it would do."""
        requester = await self._access.page_requester(request, _OPERATOR)
        change = await self._assignments.find(requester, request.path_params["change_id"])
        effect: dict[str, Any] = self._names(await self._assignments.current())
        if change.state == "proposed":
            effect, same = await self._effect(
                request, requester, change.document_class, change.category, change.valid_from
            )
            if same:
                return Response(status_code=204)
        return await render(
            request,
            "access/assignment_change.html",
            problem.status if problem else 200,
            problem=problem,
            change=change,
            own=change.proposed_by == requester.id,
            states=STATES,
            longest=MAX_SOURCE,
            **effect,
        )

    async def confirm(self, request: Request) -> Response:
        """Confirm the proposal of another operator."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        try:
            await self._assignments.confirm(requester, request.path_params["change_id"])
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.change(request, problem)
        return redirect(f"{PLACE}/changes/{request.path_params['change_id']}")

    async def withdraw(self, request: Request) -> Response:
        """Withdraw a proposal."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        try:
            await self._assignments.withdraw(requester, request.path_params["change_id"], form_text(form, "reason"))
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.change(request, problem)
        return redirect(f"{PLACE}/changes/{request.path_params['change_id']}")

    def _names(self, rules: PolicySet) -> dict[str, Any]:
        """Return the names (msgids) of classes, categories, columns, professions and kinds of organisations."""
        terms = catalogue()
        return {
            "classes": self._classes,
            "categories": {one.key: one.label for one in rules.matrix.categories},
            "columns": {one.key: one.label for one in rules.matrix.columns},
            "professions": {key: term.label for key, term in terms.professions.items()},
            "organization_kinds": {key: term.label for key, term in terms.organization_kinds.items()},
        }


def _is_emptied(rules: PolicySet, found: Simulation) -> bool:
    """Return whether no other document class is left in the category that a change takes one from."""
    others = (category for key, category in rules.on(found.on).categories.items() if key != found.document_class)
    return found.before != found.after and found.before not in others


def _words(request: Request) -> str:
    return request.query_params.get("q", "").strip()[:_MAX_TEXT]


def _has_words(text: str, *texts: str) -> bool:
    """Return whether every word of a search stands in one of some texts."""
    found = " ".join(texts).casefold()
    return all(word in found for word in text.casefold().split())


def _page_of(found: Sequence[Any], request: Request) -> Page[Any]:
    start = decode_offset_cursor(request.query_params.get("cursor"))
    end = start + _PAGE_SIZE
    return Page(list(found[start:end]), encode_cursor(end) if end < len(found) else None)


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise bad_request(
            "valid_from", N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value"
        ) from error

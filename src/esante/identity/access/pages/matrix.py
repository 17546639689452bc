"""The page of operators with the rules in force on a day: matrix, columns, contexts of care, and their sources."""

from collections.abc import Mapping
from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, gettext_of, render
from esante.identity.access.assignments.simulation import period_on
from esante.identity.access.regulation.policy_set import PolicySet
from esante.identity.access.service import Access
from esante.identity.directory import catalogue

_OPERATOR = ("operator",)
_MAX_TEXT = 100


def routes(access: Access, classes: Mapping[str, str]) -> list[Route]:
    """Return the route of the matrix; `classes`: the names (msgids) of the document classes."""

    async def show(request: Request) -> Response:
        await access.page_requester(request, _OPERATOR)
        return await _show(request, await access.assignments.current(), classes)

    return [Route("/operator/matrix", show)]


async def _show(request: Request, rules: PolicySet, classes: Mapping[str, str]) -> Response:
    query, matrix = request.query_params, rules.matrix
    text, chosen = query.get("q", "").strip()[:_MAX_TEXT], query.get("column", "")
    day = _day_of(query.get("on", ""))
    if chosen and chosen not in {one.key for one in matrix.columns}:
        raise Problem(404, "not-found", NOT_FOUND)
    on = rules.on(day)
    types = {one.document_class: one for one in rules.assignments if one.valid_from <= day}
    translate, words = gettext_of(request), text.casefold().split()
    rows = []
    for category in matrix.categories:
        own = [one for one in types.values() if one.category == category.key]
        names = [category.label, *(classes.get(one.document_class, one.document_class) for one in own)]
        found = " ".join(map(translate, names)).casefold()
        if all(word in found for word in words):
            rows.append((category, own))
    period = period_on(matrix, day)
    terms = catalogue()
    return await render(
        request,
        "access/matrix.html",
        day=day,
        q=text,
        chosen=chosen,
        rows=rows,
        period=period,
        columns=[one for one in matrix.columns if chosen in ("", one.key)],
        all_columns=matrix.columns,
        organizations=matrix.organizations,
        contexts=list(on.contexts.values()),
        classes=classes,
        professions={key: term.label for key, term in terms.professions.items()},
        organization_kinds={key: term.label for key, term in terms.organization_kinds.items()},
    )


def _day_of(text: str) -> date:
    """Return a day; today where there is none. Raises: Problem 404 for a text that is no day."""
    if not text:
        return today()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error

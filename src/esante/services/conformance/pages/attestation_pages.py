"""The pages of the attestation: the public list, also as JSON, and the operators' pages."""

from datetime import UTC, date
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.types import Json
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.conformance.model import KIND_NAMES, PHASES, STATUS_NAMES, Kind, Product, Statement, Version
from esante.services.conformance.pages.form_values import form_texts, searched, shown
from esante.services.conformance.profiles import profiles
from esante.services.conformance.rules import LONGEST, LONGEST_LINE, allowed_kinds
from esante.services.conformance.service import Conformance

PUBLIC, OPERATORS = "/software", "/operator/software"
_OPERATOR = ("operator",)


def routes(conformance: Conformance, access: Access) -> list[Route]:
    """Return the routes of the attestation."""
    pages = _OperatorPages(conformance, access)

    async def published(request: Request) -> Response:
        return await _published(request, conformance)

    async def published_json(request: Request) -> Response:
        return await _published_json(request, conformance)

    product = f"{OPERATORS}/{{product_id:uuid}}"
    return [
        Route(PUBLIC, published),
        Route(f"{PUBLIC}.json", published_json),
        Route(OPERATORS, pages.list, methods=["GET"]),
        Route(f"{OPERATORS}/products", pages.register, methods=["POST"]),
        Route(product, pages.show, methods=["GET"]),
        Route(f"{product}/versions", pages.register_version, methods=["POST"]),
        Route(f"{product}/versions/{{version_id:uuid}}/{{kind:str}}", pages.state, methods=["POST"]),
    ]


async def _published(request: Request, conformance: Conformance) -> Response:
    text, profile = _search_of(request)
    page = await conformance.published(text, profile, request.query_params.get("cursor"))
    return await render(request, "conformance/published.html", page=page, q=text, profile=profile, profiles=profiles())


async def _published_json(request: Request, conformance: Conformance) -> Response:
    """Answer with a page of the attested versions: `products`, and `next`, the address of the following ones."""
    text, profile = _search_of(request)
    page = await conformance.published(text, profile, request.query_params.get("cursor"))
    found: Json = {"products": [_entry(product, version) for product, version in page.items if version]}
    if page.next:
        following = request.url.include_query_params(cursor=page.next)
        found["next"] = f"{following.path}?{following.query}"
    return JSONResponse(found, headers={"Cache-Control": "no-store"})


def _entry(product: Product, version: Version) -> Json:
    """Return what is published of an attested version."""
    assert version.attested_at is not None
    known = profiles()
    return {
        "id": str(version.version_id),
        "product": product.name,
        "vendor": product.vendor,
        "version": version.version,
        "attestedAt": version.attested_at.astimezone(UTC).isoformat(timespec="seconds"),
        "profiles": [{"name": known[key].standard, "url": known[key].url} for key in version.profiles if key in known],
    }


def _search_of(request: Request) -> tuple[str, str]:
    """Return the words and the profile of a search. Raises: Problem 404 for an unknown profile."""
    query = request.query_params
    profile = query.get("profile", "")
    if profile and profile not in profiles():
        raise Problem(404, "not-found", NOT_FOUND)
    return searched(request), profile


class _OperatorPages:
    def __init__(self, conformance: Conformance, access: Access) -> None:
        self._conformance, self._access = conformance, access

    async def list(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """List products with their versions, and show the form of a new product."""
        requester = await self._access.page_requester(request, _OPERATOR)
        query = request.query_params
        text, status = searched(request), query.get("status", "")
        if status and status not in STATUS_NAMES:
            raise Problem(404, "not-found", NOT_FOUND)
        return await render(
            request,
            "conformance/list.html",
            problem.status if problem else 200,
            problem=problem,
            values=form_texts(form, "name", "vendor", "contact"),
            page=await self._conformance.search(requester, text, status, query.get("cursor")),
            q=text,
            chosen=status,
            statuses=STATUS_NAMES,
            longest_line=LONGEST_LINE,
        )

    async def register(self, request: Request) -> Response:
        """Register a product."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        values = form_texts(form, "name", "vendor", "contact")
        try:
            product = await self._conformance.register_product(requester, **values)
        except Problem as problem:
            return await self.list(request, shown(problem), form)
        return redirect(f"{OPERATORS}/{product.product_id}")

    async def show(
        self,
        request: Request,
        problem: Problem | None = None,
        form: FormData | None = None,
        failed: UUID | None = None,
    ) -> Response:
        """Show a product with its versions and what happened to them; `failed`: the version of a refused form."""
        requester = await self._access.page_requester(request, _OPERATOR)
        product, versions = await self._conformance.find(requester, request.path_params["product_id"])
        return await render(
            request,
            "conformance/product.html",
            problem.status if problem else 200,
            problem=problem,
            failed=failed,
            values=form_texts(form, "version", "clients", "body", "reference", "passed_on", "reason"),
            chosen=form.getlist("profiles") if form else (),
            product=product,
            versions=versions,
            profiles=profiles(),
            statuses=STATUS_NAMES,
            kinds=KIND_NAMES,
            phases=PHASES,
            allowed=allowed_kinds,
            longest=LONGEST,
            longest_line=LONGEST_LINE,
        )

    async def register_version(self, request: Request) -> Response:
        """Register a version of a product."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form, product_id = await read_form(request), request.path_params["product_id"]
        chosen = [key for key in form.getlist("profiles") if isinstance(key, str)]
        given = form_texts(form, "version", "clients")
        try:
            await self._conformance.register_version(requester, product_id, given["version"], chosen, given["clients"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OPERATORS}/{product_id}")

    async def state(self, request: Request) -> Response:
        """Record a statement about a version."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form, version_id = await read_form(request), request.path_params["version_id"]
        try:
            await self._state(requester, version_id, request.path_params["kind"], form)
        except Problem as problem:
            return await self.show(request, shown(problem), form, version_id)
        return redirect(f"{OPERATORS}/{request.path_params['product_id']}")

    async def _state(self, requester: Requester, version_id: UUID, kind: str, form: FormData) -> None:
        if kind not in set(Kind):
            raise Problem(404, "not-found", NOT_FOUND)
        values = form_texts(form, "body", "reference", "reason")
        passed_on = _day_of(form_texts(form, "passed_on")["passed_on"])
        await self._conformance.state(requester, version_id, Statement(kind=Kind(kind), passed_on=passed_on, **values))


def _day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

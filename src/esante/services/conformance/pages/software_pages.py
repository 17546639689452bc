"""The pages of a vendor's own software: products, versions, applications for labels; and the part of the home page."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.time_zone import today
from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.labels.model import END_CAUSE_NAMES, LABEL_STATE_NAMES
from esante.services.conformance.labels.service import Labels
from esante.services.conformance.model import STATUS_NAMES
from esante.services.conformance.pages.form_values import form_texts, searched, shown, uuid_of
from esante.services.conformance.pages.vendor_pages import VENDOR
from esante.services.conformance.profiles import profiles
from esante.services.conformance.rules import LONGEST, LONGEST_LINE
from esante.services.conformance.service import Conformance
from esante.services.conformance.vendors.model import VENDOR_STATUS_NAMES
from esante.services.conformance.vendors.service import Vendors

OWN = "/vendor/products"


def routes(conformance: Conformance, vendors: Vendors, labels: Labels, access: Access) -> list[BaseRoute]:
    """Return the routes of a vendor's own software."""
    pages = _SoftwarePages(conformance, vendors, labels, access)
    product = f"{OWN}/{{product_id:uuid}}"
    return [
        Route(OWN, pages.list, methods=["GET"]),
        Route(f"{OWN}/new", pages.register, methods=["POST"]),
        Route(product, pages.show, methods=["GET"]),
        Route(f"{product}/versions", pages.register_version, methods=["POST"]),
        Route(f"{product}/versions/{{version_id:uuid}}/label", pages.apply, methods=["POST"]),
    ]


async def home_of(vendors: Vendors, labels: Labels, requester: Requester) -> Mapping[str, Any]:
    """Return what the home page shows of a vendor's account and labels."""
    return {
        "vendor": await vendors.current(requester),
        "statuses": VENDOR_STATUS_NAMES,
        "labels": await labels.of_vendor(requester),
        "states": LABEL_STATE_NAMES,
        "causes": END_CAUSE_NAMES,
        "kits": kits(),
    }


class _SoftwarePages:
    def __init__(self, conformance: Conformance, vendors: Vendors, labels: Labels, access: Access) -> None:
        self._conformance, self._vendors, self._labels, self._access = conformance, vendors, labels, access

    async def _requester(self, request: Request) -> Requester:
        requester = await self._access.page_requester(request, VENDOR)
        await self._vendors.current(requester)
        return requester

    async def list(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """List the products with their versions, and show the form of a new product."""
        requester, text = await self._requester(request), searched(request)
        return await render(
            request,
            "conformance/own_software.html",
            problem.status if problem else 200,
            problem=problem,
            values=form_texts(form, "name"),
            page=await self._conformance.search(requester, text, cursor=request.query_params.get("cursor")),
            q=text,
            statuses=STATUS_NAMES,
            longest_line=LONGEST_LINE,
        )

    async def register(self, request: Request) -> Response:
        """Register a product."""
        requester, form = await self._requester(request), await read_form(request)
        vendor, name = await self._vendors.current(requester), form_texts(form, "name")["name"]
        try:
            product = await self._conformance.register_product(requester, name, vendor.name, vendor.email)
        except Problem as problem:
            return await self.list(request, shown(problem), form)
        return redirect(f"{OWN}/{product.product_id}")

    async def show(
        self,
        request: Request,
        problem: Problem | None = None,
        form: FormData | None = None,
        failed: UUID | None = None,
    ) -> Response:
        """Show a product with its versions and their labels; `failed`: the version of a refused application."""
        requester = await self._requester(request)
        product, versions = await self._conformance.find(requester, request.path_params["product_id"])
        ids = [version.version_id for version, _ in versions]
        return await render(
            request,
            "conformance/own_product.html",
            problem.status if problem else 200,
            problem=problem,
            failed=failed,
            values=form_texts(form, "version", "clients"),
            chosen=form.getlist("profiles") if form else (),
            product=product,
            versions=[version for version, _ in versions],
            labels=await self._labels.of_versions(ids),
            evidence=await self._labels.evidence(requester, ids),
            kits=kits(),
            profiles=profiles(),
            statuses=STATUS_NAMES,
            states=LABEL_STATE_NAMES,
            causes=END_CAUSE_NAMES,
            today=today(),
            longest=LONGEST,
            longest_line=LONGEST_LINE,
        )

    async def register_version(self, request: Request) -> Response:
        """Register a version of a product."""
        requester, form = await self._requester(request), await read_form(request)
        product_id, values = request.path_params["product_id"], form_texts(form, "version", "clients")
        chosen = [key for key in form.getlist("profiles") if isinstance(key, str)]
        try:
            await self._conformance.register_version(
                requester, product_id, values["version"], chosen, values["clients"]
            )
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OWN}/{product_id}")

    async def apply(self, request: Request) -> Response:
        """Apply for the label of a version."""
        requester, form = await self._requester(request), await read_form(request)
        version_id = request.path_params["version_id"]
        try:
            await self._labels.apply(requester, version_id, uuid_of(form_texts(form, "run")["run"]))
        except Problem as problem:
            return await self.show(request, shown(problem), form, version_id)
        return redirect(f"{OWN}/{request.path_params['product_id']}")

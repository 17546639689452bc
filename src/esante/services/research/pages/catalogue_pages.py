"""The public pages of the catalogue, and its feed in HealthDCAT-AP."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.disclosure import rule_on
from esante.core.open_data import HEALTH_PREFIXES, encode_jsonld, encode_turtle
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, language_of, render
from esante.services.research.catalogue.dcat import build_catalogue
from esante.services.research.catalogue.model import CRITERION_NAMES, LEVEL_NAMES
from esante.services.research.catalogue.quality import quality_on
from esante.services.research.catalogue.service import Catalogue
from esante.services.research.pages.form_values import searched

PUBLIC = "/research"
_FORMATS = {"jsonld": (encode_jsonld, "application/ld+json"), "ttl": (encode_turtle, "text/turtle")}


def routes(catalogue: Catalogue, base_url: str) -> list[BaseRoute]:
    """Return the routes of the catalogue; `base_url`: the address of the platform, in the feed."""

    async def show_list(request: Request) -> Response:
        text = searched(request)
        return await render(
            request,
            "research/catalogue.html",
            entries=await catalogue.entries(text, language_of(request)),
            progress=await catalogue.progress(),
            threshold=rule_on(today()).threshold,
            levels=LEVEL_NAMES,
            q=text,
        )

    async def show_dataset(request: Request) -> Response:
        return await render(
            request,
            "research/dataset.html",
            entry=await catalogue.entry(request.path_params["name"]),
            progress=await catalogue.progress(),
            threshold=rule_on(today()).threshold,
            criteria=CRITERION_NAMES,
            levels=LEVEL_NAMES,
            quality=quality_on(today()),
        )

    async def feed(request: Request) -> Response:
        if request.path_params["format"] not in _FORMATS:
            raise Problem(404, "not-found", NOT_FOUND)
        encode, media_type = _FORMATS[request.path_params["format"]]
        content = encode(build_catalogue(await catalogue.entries(), base_url), HEALTH_PREFIXES)
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return [
        Route(PUBLIC, show_list),
        Route(f"{PUBLIC}/catalog.{{format:str}}", feed),
        Route(f"{PUBLIC}/datasets/{{name:str}}", show_dataset),
    ]

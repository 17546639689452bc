"""What the issuer publishes: its keys, and the revoked cards of each (SMART Health Cards, "Revocation")."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem
from esante.services.vaccination.health_cards.issuer import PATH, HealthCards

_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
_WELL_KNOWN = f"{PATH}/.well-known"


def routes(cards: HealthCards) -> list[Route]:
    """Return the routes of the issuer."""

    async def keys(request: Request) -> Response:
        published = await cards.published_keys()
        jwks = [{**key.jwk, "crlVersion": key.crl_version} for key in published]
        return JSONResponse({"keys": jwks}, headers=_HEADERS)

    async def revoked(request: Request) -> Response:
        kid = request.path_params["kid"]
        for key in await cards.published_keys():
            if key.kid == kid:
                crl = {"kid": kid, "method": "rid", "ctr": key.crl_version, "rids": list(key.rids)}
                return JSONResponse(crl, headers=_HEADERS)
        raise Problem(404, "not-found", NOT_FOUND)

    return [Route(f"{_WELL_KNOWN}/jwks.json", keys), Route(f"{_WELL_KNOWN}/crl/{{kid}}.json", revoked)]

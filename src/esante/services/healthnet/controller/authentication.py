"""Which site a request of an agent comes from: its signature, its time, its number."""

import math

from starlette.requests import Request

from esante.core import clock
from esante.core.web import N_, Problem, network_of, origin_of
from esante.services.healthnet.agent.signatures import is_signed_by, parse_signature
from esante.services.healthnet.controller.limits import RateLimit
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.controller.registry import KnownSite, Registry

CLOCK_TOLERANCE = 300
"""Seconds by which the time of a request may differ; an agent that is told so tries again with our time."""
NETWORK_RATE, NETWORK_BURST = 50.0, 500
"""Requests of one network of the Internet, before anything of them is believed."""
SITE_RATE, SITE_BURST = 2.0, 40
"""Requests of one site."""
_NOBODY = bytes(32)


class TooMany(ControlRefused):
    """Too many requests; `seconds`: after which the next one is admitted."""

    def __init__(self, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__(429, f"too many requests: try again in {self.seconds} s")


class Authentication:
    """Authenticates agents. Unknown and revoked sites and wrong signatures are refused with the same words."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._networks = RateLimit(NETWORK_RATE, NETWORK_BURST)
        self._sites = RateLimit(SITE_RATE, SITE_BURST)

    def admit_network(self, request: Request) -> None:
        """Raise TooMany for a network that asks too much."""
        if wait := self._networks.take(network_of(origin_of(request))):
            raise TooMany(wait)

    def site_key(self, request: Request, body: bytes) -> str:
        """Return the key of the site of a request outside the API of agents. Raises: Problem."""
        try:
            self.admit_network(request)
            return self.site(request, body)[0].site
        except TooMany as error:
            raise Problem(
                429, "throttled", N_("Too many attempts."), headers={"Retry-After": str(error.seconds)}
            ) from error
        except ControlRefused as error:
            raise Problem(403, "forbidden", N_("This certificate is not valid. Enrol the site again.")) from error

    def site(self, request: Request, body: bytes) -> tuple[KnownSite, int]:
        """Return the site of a request, and the number of the request. Raises: ControlRefused, TooMany."""
        headers = {name: request.headers.get(name, "") for name in ("signature-input", "signature", "content-digest")}
        signed = parse_signature(headers)
        if signed is None or abs(signed.created - clock.now().timestamp()) > CLOCK_TOLERANCE:
            raise ControlRefused(401, "the request is not signed, or its time differs too much")
        known = self._registry.site(signed.site)
        public = known.identity if known and not known.is_revoked and known.identity else _NOBODY
        path, query = request.url.path, request.url.query
        is_right = is_signed_by(public, signed, headers, request.method, path, query, body)
        if known is None or public is _NOBODY or not is_right:
            raise ControlRefused(401, "the signature is not that of a connected site")
        if wait := self._sites.take(known.site):
            raise TooMany(wait)
        if not known.is_new(signed.sequence):
            raise ControlRefused(409, "this request came before")
        return known, signed.sequence

"""HTTP transport (httpx) that connects only to addresses that the policy allows.

The name of each request is resolved and checked, and the connection made to an address that was checked; `Host` and
the name of TLS (SNI, certificate) stay those of the request. Each request has a connection of its own: kept ones would
be found by their address, and serve another name at it.
"""

import ssl

import httpx

from esante.core.outbound.address_policy import AddressNotAllowed, AddressPolicy

_PORTS = {"http": 80, "https": 443}


class CheckedTransport(httpx.AsyncBaseTransport):
    """Sends the requests of one client to addresses that `policy` allows.

    `context` has the trusted certificates (None: the system's).
    """

    def __init__(self, policy: AddressPolicy, context: ssl.SSLContext | None = None) -> None:
        self._policy = policy
        self._http = httpx.AsyncHTTPTransport(
            verify=context or ssl.create_default_context(),
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of the first address of the host that takes the connection.

        Raises: httpx.ConnectError also for an address that is not allowed.
        """
        url = request.url
        try:
            found = await self._policy.resolve(url.scheme, url.host, url.port or _PORTS.get(url.scheme, 0))
        except AddressNotAllowed as error:
            raise httpx.ConnectError("the address is not allowed", request=request) from error
        for number, address in enumerate(found, 1):
            checked = httpx.Request(
                request.method,
                url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": url.host},
            )
            try:
                return await self._http.handle_async_request(checked)
            except httpx.ConnectError:
                if number == len(found):
                    raise
        raise httpx.ConnectError("the host has no address", request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

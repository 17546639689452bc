"""Chromium's virtual authenticator (CDP WebAuthn): a device with passkeys for a visitor."""

from playwright.async_api import CDPSession

from tests.support.visitors import Visitor

_OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Authenticator:
    """A virtual authenticator of a visitor's browser."""

    def __init__(self, session: CDPSession, id_: str) -> None:
        self._session, self._id = session, id_

    async def credentials(self) -> list[dict[str, object]]:
        """Return its credentials, with private keys."""
        found = await self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return list(found["credentials"])

    async def put(self, credential: dict[str, object]) -> None:
        """Put a credential in place of one with its id."""
        await self._session.send(
            "WebAuthn.removeCredential", {"authenticatorId": self._id, "credentialId": credential["credentialId"]}
        )
        await self._session.send("WebAuthn.addCredential", {"authenticatorId": self._id, "credential": credential})


async def add_authenticator(visitor: Visitor) -> Authenticator:
    """Give a visitor's browser a device that holds passkeys and verifies its user."""
    session = await visitor.page.context.new_cdp_session(visitor.page)
    await session.send("WebAuthn.enable")
    found = await session.send("WebAuthn.addVirtualAuthenticator", {"options": _OPTIONS})
    return Authenticator(session, found["authenticatorId"])

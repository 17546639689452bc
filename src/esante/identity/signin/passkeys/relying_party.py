"""The relying party of WebAuthn: options for browsers, and checks of what their authenticators answer.

The library `webauthn` checks structures and signatures. Source: W3C Web Authentication Level 3, sections 7.1 and 7.2.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from esante.core.types import Json
from esante.identity.signin.model import Holder, Passkey

LONGEST = 64 * 1024
"""The longest answer of an authenticator, in characters."""
_TIMEOUT = 5 * 60 * 1000
"""How long the browser waits for the person, in milliseconds."""


class PasskeyRefused(Exception):
    """The answer of an authenticator is not valid; the reason is a key for the journal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that an authenticator made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    synced: bool


@dataclass(frozen=True, slots=True)
class Assertion:
    """The answer of an authenticator, before its signature is checked."""

    credential_id: bytes
    user_handle: bytes | None
    content: Json


class RelyingParty:
    """The platform as browsers know it: `id`, the host, and `origin`.

    Browsers refuse passkeys for an address that is a number, so 127.0.0.1 is called localhost.
    """

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self.id = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        if _is_loopback(self.id):
            self.id = "localhost"
        self.origin = f"{parts.scheme}://{self.id}{port}"

    def address_instead_of(self, request: Request) -> str:
        """Return where passkeys work, for a browser that names a loopback address by its number; "" for others."""
        return self.origin if _is_loopback(request.url.hostname or "") else ""

    def creation_options(self, holder: Holder, challenge: bytes, known: Collection[bytes]) -> str:
        """Return the options (JSON) for a new passkey; `known`: the credentials that the holder has already."""
        return options_to_json(
            generate_registration_options(
                rp_id=self.id,
                rp_name=self.id,
                user_id=holder.id.bytes,
                user_name=holder.name,
                user_display_name=holder.name,
                challenge=challenge,
                timeout=_TIMEOUT,
                exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED,
                    user_verification=UserVerificationRequirement.REQUIRED,
                ),
            )
        )

    def request_options(self, challenge: bytes, allowed: Collection[bytes] = ()) -> str:
        """Return the options (JSON) for a signature by one of the `allowed` credentials; none: by any of this site."""
        return options_to_json(
            generate_authentication_options(
                rp_id=self.id,
                challenge=challenge,
                timeout=_TIMEOUT,
                allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in allowed] or None,
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        )

    def check_creation(self, answer: str, challenge: bytes) -> NewCredential:
        """Return the credential of an answer to `creation_options`. Raises: PasskeyRefused."""
        content = _parse(answer)
        try:
            found = verify_registration_response(
                credential=content,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise PasskeyRefused("invalid") from error
        synced = found.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        return NewCredential(found.credential_id, found.credential_public_key, found.sign_count, synced)

    def parse_assertion(self, answer: str) -> Assertion:
        """Return an answer to `request_options`, unchecked. Raises: PasskeyRefused."""
        content = _parse(answer)
        try:
            handle = content["response"].get("userHandle")
            user_handle = base64url_to_bytes(handle) if handle else None
            return Assertion(base64url_to_bytes(content["id"]), user_handle, content)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise PasskeyRefused("invalid") from error

    def check_assertion(self, assertion: Assertion, challenge: bytes, passkey: Passkey) -> int:
        """Return the counter of an answer that a passkey signed. Raises: PasskeyRefused.

        The counter must grow, unless the authenticator has none: one that does not may be that of a copy.
        """
        if assertion.user_handle not in (None, passkey.holder_id.bytes):
            raise PasskeyRefused("holder")
        try:
            found = verify_authentication_response(
                credential=assertion.content,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise PasskeyRefused("invalid") from error
        if (found.new_sign_count or passkey.sign_count) and found.new_sign_count <= passkey.sign_count:
            raise PasskeyRefused("counter")
        return found.new_sign_count


def _parse(answer: str) -> Json:
    """Return an answer as a JSON object. Raises: PasskeyRefused."""
    try:
        content = orjson.loads(answer) if len(answer) <= LONGEST else None
    except orjson.JSONDecodeError as error:
        raise PasskeyRefused("invalid") from error
    if not isinstance(content, dict):
        raise PasskeyRefused("invalid")
    return content


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

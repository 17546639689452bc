"""The messages of the token service (WS-Trust 1.3): RequestSecurityToken, and its answer."""

from datetime import datetime

from lxml import etree

from esante.core import clock
from esante.services.billing.exchange.faults import fault
from esante.services.billing.exchange.names import (
    ADDRESSING,
    BASE64_ENCODING,
    BST_TYPE,
    CLAIMS,
    ISSUE,
    POLICY,
    SPACE_CLAIM,
    TRUST,
    WSSE,
    WSU,
    WSU_ID,
)


def requested_code(body: etree._Element, address: str) -> str:
    """Return the provider code (8 digits) for which a token for the exchange at `address` is asked.

    Raises: `Problem` for anything else than a request to issue such a token.
    """
    request = body.find(f"{{{TRUST}}}RequestSecurityToken")
    if request is None or len(body) != 1:
        raise fault("request", "Body/RequestSecurityToken")
    wanted = {"RequestType": ISSUE, "TokenType": BST_TYPE}
    for name, value in wanted.items():
        if _text(request.find(f"{{{TRUST}}}{name}")) != value:
            raise fault("request", f"RequestSecurityToken/{name}", value)
    if _text(request.find(f"{{{POLICY}}}AppliesTo//{{{ADDRESSING}}}Address")) != address:
        raise fault("request", "RequestSecurityToken/AppliesTo", address)
    claims = request.findall(f"{{{TRUST}}}Claims/{{{CLAIMS}}}ClaimType[@Uri='{SPACE_CLAIM}']/{{{CLAIMS}}}Value")
    code = _text(claims[0]) if len(claims) == 1 else ""
    if not (len(code) == 8 and code.isascii() and code.isdigit()):
        raise fault("request", "RequestSecurityToken/Claims/ClaimType", SPACE_CLAIM)
    return code


def issued_token(text: str, expires_at: datetime, address: str) -> etree._Element:
    """Return the answer with a token."""
    root = etree.Element(
        f"{{{TRUST}}}RequestSecurityTokenResponseCollection", nsmap={"wst": TRUST, "wsse": WSSE, "wsu": WSU}
    )
    answer = etree.SubElement(root, f"{{{TRUST}}}RequestSecurityTokenResponse")
    etree.SubElement(answer, f"{{{TRUST}}}TokenType").text = BST_TYPE
    holder = etree.SubElement(answer, f"{{{TRUST}}}RequestedSecurityToken")
    token = etree.SubElement(
        holder, f"{{{WSSE}}}BinarySecurityToken", ValueType=BST_TYPE, EncodingType=BASE64_ENCODING
    )
    token.set(WSU_ID, "token")
    token.text = text
    applies = etree.SubElement(answer, f"{{{POLICY}}}AppliesTo", nsmap={"wsp": POLICY, "wsa": ADDRESSING})
    reference = etree.SubElement(applies, f"{{{ADDRESSING}}}EndpointReference")
    etree.SubElement(reference, f"{{{ADDRESSING}}}Address").text = address
    lifetime = etree.SubElement(answer, f"{{{TRUST}}}Lifetime")
    etree.SubElement(lifetime, f"{{{WSU}}}Created").text = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    etree.SubElement(lifetime, f"{{{WSU}}}Expires").text = f"{expires_at:%Y-%m-%dT%H:%M:%SZ}"
    return root


def _text(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""

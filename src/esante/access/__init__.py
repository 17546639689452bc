"""Access: who asks, what the person allowed, the decision, and who looked."""

from esante.access.api import api_routes, capabilities
from esante.access.events import (
    BlockChanged,
    ClientRegistered,
    CodeIssued,
    CodeRefused,
    EmergencyDeclared,
    EmergencyReviewed,
    Granted,
    GrantEnded,
    LogRead,
    SharingChanged,
    SignedIn,
    SignedOut,
    SignInRefused,
    StateChanged,
    TokenIssued,
)
from esante.access.matrix import matrix, policy, rights
from esante.access.model import (
    AccessEvent,
    Action,
    Confidentiality,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    Verdict,
)
from esante.access.pages import page_routes
from esante.access.rules import decide, explain, opening_grant
from esante.access.service import Access
from esante.access.signin import requester_of
from esante.access.store_signin import SoftwareClient

__all__ = [
    "Access",
    "AccessEvent",
    "Action",
    "BlockChanged",
    "ClientRegistered",
    "CodeIssued",
    "CodeRefused",
    "Confidentiality",
    "Consent",
    "EmergencyDeclared",
    "EmergencyReviewed",
    "Grant",
    "GrantEnded",
    "GrantKind",
    "Granted",
    "Item",
    "LogRead",
    "Purpose",
    "RecordState",
    "Requester",
    "SharingChanged",
    "SignInRefused",
    "SignedIn",
    "SignedOut",
    "SoftwareClient",
    "StateChanged",
    "TokenIssued",
    "Verdict",
    "api_routes",
    "capabilities",
    "decide",
    "explain",
    "matrix",
    "opening_grant",
    "page_routes",
    "policy",
    "requester_of",
    "rights",
]

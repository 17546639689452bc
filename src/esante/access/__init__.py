"""Access: who asks, what the person allowed, the decision, and who looked."""

from esante.access.api import api_routes, capabilities
from esante.access.audit import audit_event
from esante.access.discovery import security
from esante.access.encounters import STAY_PARAMETERS, StayFace, is_admission
from esante.access.events import (
    AppAllowed,
    AppEnded,
    AppRefused,
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
    StayRead,
    StayRefused,
    TokenIssued,
    TurnedAway,
)
from esante.access.log import log_types
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
    Stay,
    StayStatus,
    Verdict,
)
from esante.access.pages import page_routes
from esante.access.rules import decide, explain, opening_grant
from esante.access.scopes import require_scope
from esante.access.service import Access
from esante.access.signin import principal_of, requester_of
from esante.access.store_signin import SoftwareClient

__all__ = [
    "STAY_PARAMETERS",
    "Access",
    "AccessEvent",
    "Action",
    "AppAllowed",
    "AppEnded",
    "AppRefused",
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
    "Stay",
    "StayFace",
    "StayRead",
    "StayRefused",
    "StayStatus",
    "TokenIssued",
    "TurnedAway",
    "Verdict",
    "api_routes",
    "audit_event",
    "capabilities",
    "decide",
    "explain",
    "is_admission",
    "log_types",
    "matrix",
    "opening_grant",
    "page_routes",
    "policy",
    "principal_of",
    "requester_of",
    "require_scope",
    "rights",
    "security",
]

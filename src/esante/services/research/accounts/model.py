"""Types of researchers' accounts, and their journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_
from esante.identity.access import Requester


class AccountStatus(StrEnum):
    """The state of a researcher's account."""

    REGISTERED = "registered"
    """No operator has accepted it: drafts can be written, and nothing submitted."""
    ACCEPTED = "accepted"
    SUSPENDED = "suspended"


class AccountChange(StrEnum):
    """What an operator does to an account."""

    ACCEPTANCE = "acceptance"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"


ACCOUNT_STATUS_NAMES: Mapping[str, str] = {
    AccountStatus.REGISTERED: N_("Not accepted yet"),
    AccountStatus.ACCEPTED: P_("account", "Accepted"),
    AccountStatus.SUSPENDED: N_("Suspended"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account of one researcher, a person, who works for an organisation; `email` is not published.

    `public_body`: the organisation is a public sector body, for which some purposes are reserved (Article 53(2)).
    """

    account_id: UUID
    name: str
    organization: str
    email: str
    public_body: bool
    status: AccountStatus
    registered_at: datetime
    reason: str = ""

    def requester(self, origin: str = "") -> Requester:
        """Return the researcher as a requester."""
        return Requester(
            kind="researcher", id=self.account_id, name=self.name, organization=self.organization, origin=origin
        )


@event("research.account_registered")
class AccountRegistered(Event, frozen=True, kw_only=True):
    """A researcher registered; the email address is not in the journal."""

    account_id: UUID
    organization: str
    public_body: bool


@event("research.account_changed")
class AccountChanged(Event, frozen=True, kw_only=True):
    """An operator accepted, suspended or resumed a researcher's account (`change`)."""

    account_id: UUID
    change: str
    reason: str = ""


@event("research.account_key_replaced")
class AccountKeyReplaced(Event, frozen=True, kw_only=True):
    """A researcher got a new access key; the one before no longer works."""

    account_id: UUID


@event("research.account_deleted")
class AccountDeleted(Event, frozen=True, kw_only=True):
    """A registration that nobody accepted in time was deleted, with its drafts."""

    account_id: UUID

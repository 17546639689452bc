"""The decisions about researchers' accounts: what an operator may do when."""

from esante.core.web import N_, Problem
from esante.services.research.accounts.model import AccountChange, AccountStatus

_NEXT = {
    (AccountStatus.REGISTERED, AccountChange.ACCEPTANCE): AccountStatus.ACCEPTED,
    (AccountStatus.REGISTERED, AccountChange.SUSPENSION): AccountStatus.SUSPENDED,
    (AccountStatus.ACCEPTED, AccountChange.SUSPENSION): AccountStatus.SUSPENDED,
    (AccountStatus.SUSPENDED, AccountChange.RESUMPTION): AccountStatus.ACCEPTED,
}


def allowed_changes(status: AccountStatus) -> tuple[AccountChange, ...]:
    """Return what an operator may do to an account of a state, in the order of the pages."""
    return tuple(change for known, change in _NEXT if known is status)


def status_after(status: AccountStatus, change: AccountChange) -> AccountStatus:
    """Return the state after a change. Raises: Problem 409 for one that is not allowed."""
    found = _NEXT.get((status, change))
    if found is None:
        raise Problem(
            409,
            "conflict",
            N_("This is not possible in the present state of the account."),
            remedy=N_("Open the page again to see the present state."),
        )
    return found

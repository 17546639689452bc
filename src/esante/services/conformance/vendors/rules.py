"""The decisions about vendors' accounts: what an operator may do when."""

from esante.core.web import N_, Problem
from esante.services.conformance.vendors.model import VendorChange, VendorStatus

_NEXT = {
    (VendorStatus.REGISTERED, VendorChange.ACCEPTANCE): VendorStatus.ACCEPTED,
    (VendorStatus.REGISTERED, VendorChange.SUSPENSION): VendorStatus.SUSPENDED,
    (VendorStatus.ACCEPTED, VendorChange.SUSPENSION): VendorStatus.SUSPENDED,
    (VendorStatus.SUSPENDED, VendorChange.RESUMPTION): VendorStatus.ACCEPTED,
}


def allowed_changes(status: VendorStatus) -> tuple[VendorChange, ...]:
    """Return what an operator may do to an account of a state, in the order of the pages."""
    return tuple(change for known, change in _NEXT if known is status)


def status_after(status: VendorStatus, change: VendorChange) -> VendorStatus:
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

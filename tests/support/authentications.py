"""Authentications of requesters for whom tests make a session without a sign-in."""

from dataclasses import replace
from datetime import timedelta

from esante.core import clock
from esante.identity.access import Authentication, Requester


def as_demo(requester: Requester) -> Requester:
    """Return a requester as one of the demonstration: no sensitive act needs a confirmation."""
    return replace(requester, authentication=Authentication(method="demo", at=clock.now()))


def with_passkey(requester: Requester, ago: timedelta = timedelta()) -> Requester:
    """Return a requester who signed in with a passkey so long ago."""
    found = Authentication(method="passkey", at=clock.now() - ago, assurance="substantial", device="Firefox, Linux")
    return replace(requester, authentication=found)

"""Authentication of messages: who asks is believed by assertions that the seal of the connection's country signed."""

from collections.abc import Collection

from esante.core.soap import WSSE
from esante.core.time_zone import day_of
from esante.services.exchange.assertions.check import (
    Professional,
    check_next_of_kin,
    check_professional,
    check_treatment,
)
from esante.services.exchange.assertions.model import Assertion, Cause, Refused
from esante.services.exchange.assertions.names import HOME_COMMUNITY, SUBJECT, Kind
from esante.services.exchange.assertions.reader import read_assertions
from esante.services.exchange.assertions.rules import Act, rules_on
from esante.services.exchange.connector import professional_abroad
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.country_a.model import Asking, Incoming


class Authentication:
    """Verifies the assertions of messages."""

    def __init__(self, points: ContactPoints) -> None:
        self._points = points

    def identify(self, incoming: Incoming, acts: Collection[Act]) -> Asking:
        """Return who asks, when the assertions allow at least one of some acts. Raises: `Refused`."""
        headers = [] if incoming.header is None else incoming.header.findall(f"{{{WSSE}}}Security")
        if len(headers) != 1:
            raise Refused(Cause.MISSING, "the message must have one header of WS-Security with assertions")
        assertions = read_assertions(headers[0])
        for one in assertions:
            if not self._points.trusts(incoming.point, one.certificate):
                raise Refused(Cause.INTEGRITY, "the assertion is not sealed by the contact point that sent it")
        professional = _professional(incoming, assertions, acts)
        rules = rules_on(day_of(incoming.at))
        check_next_of_kin(assertions, professional, rules, incoming.at)
        hcp = next(one for one in assertions if one.kind is Kind.HCP)
        home = hcp.texts.get(HOME_COMMUNITY, ())
        if home and list(home) != [f"urn:oid:{incoming.point.home}"]:
            raise Refused(Cause.INSUFFICIENT, "the home community is not that of the contact point")
        requester = professional_abroad(
            incoming.point.country,
            incoming.point.home,
            hcp.name_id,
            professional.name,
            professional.role,
            professional.locality,
            on=day_of(incoming.at),
            origin=incoming.origin,
        )
        return Asking(requester, professional, assertions)

    def treat(self, incoming: Incoming, acts: Collection[Act], patient: str | None) -> tuple[Asking, str]:
        """Return who asks, and the patient of whom their treatment is confirmed, as CX.

        `patient`: the one that the message is about; None for a message that does not say. Raises: `Refused`.
        """
        asking = self.identify(incoming, acts)
        treated = next((one.text(SUBJECT) for one in asking.assertions if one.kind is Kind.TRC), "")
        rules = rules_on(day_of(incoming.at))
        about = treated if patient is None else patient
        check_treatment(asking.assertions, asking.professional, about, rules, incoming.at)
        return asking, about

    def allows(self, incoming: Incoming, asking: Asking, act: Act) -> bool:
        """Return whether the assertions allow an act."""
        try:
            check_professional(asking.assertions, act, rules_on(day_of(incoming.at)), incoming.at)
        except Refused:
            return False
        return True


def _professional(incoming: Incoming, assertions: Collection[Assertion], acts: Collection[Act]) -> Professional:
    """Return who asks, by the first act that is allowed; else the refusal of the first."""
    found, rules = list(assertions), rules_on(day_of(incoming.at))
    refused: Refused | None = None
    for act in acts:
        try:
            return check_professional(found, act, rules, incoming.at)
        except Refused as error:
            refused = refused or error
    raise refused or Refused(Cause.RIGHTS, "nothing of this may be asked for")

"""What the audit of messages adds to the declaration of the exchange."""

from collections.abc import Iterable

from esante.contract import KeptData, Platform
from esante.contract_parts import Part
from esante.core.web import N_
from esante.services.exchange.audit.service import AuditTrail


def _build(platform: Platform) -> Iterable[object]:
    yield AuditTrail(platform.db, platform.journal)


AUDIT = Part(
    build=_build,
    kept=[
        KeptData(
            what=N_("Requests about you from health professionals abroad: who asked, from where, for what, and when"),
            why=N_("So that you and the agency can see and prove what was sent to another country."),
        )
    ],
)

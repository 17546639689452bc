"""Declaration of fee notes, accelerated reimbursement and immediate direct payment."""

from collections.abc import Iterable

from esante.contract import Platform, Service
from esante.services.billing.note.service import Notes


def _build(platform: Platform) -> Iterable[object]:
    yield Notes(platform.db)


SERVICE = Service(package="esante.services.billing", build=_build)

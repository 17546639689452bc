"""The opt-out from secondary use."""

from collections.abc import Iterable

from esante.contract import KeptData, Platform
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access
from esante.services.research.opt_out.service import OptOuts


def _build(platform: Platform) -> Iterable[object]:
    yield OptOuts(platform.db, platform.journal, platform[Access])


OPT_OUT = Part(
    build=_build,
    kept=[
        KeptData(
            what=N_("Whether you opted out of the use of your data for research, and since when"),
            why=N_("So that your data are left out."),
        )
    ],
)

"""Declaration of secondary use."""

from esante.contract import Service
from esante.contract_parts import Part, combine
from esante.services.research.cli import research
from esante.services.research.opt_out.declaration import OPT_OUT
from esante.services.research.permits.declaration import PERMITS

_PARTS: list[Part] = [OPT_OUT, PERMITS]
_WHOLE = combine(_PARTS)

SERVICE = Service(
    package="esante.services.research",
    build=_WHOLE.build,
    routes=_WHOLE.routes,
    consumers=_WHOLE.consumers,
    tasks=_WHOLE.tasks,
    dispositions=_WHOLE.dispositions,
    navigation=_WHOLE.navigation,
    kept=_WHOLE.kept,
    commands=[research],
)

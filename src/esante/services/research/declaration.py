"""Declaration of secondary use."""

from esante.contract import Service
from esante.contract_parts import Part, combine
from esante.services.research.cli import research

_PARTS: list[Part] = []
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

"""Declaration of the record in the European Health Data Space."""

from esante.contract import Service
from esante.contract_parts import Part, combine
from esante.services.ehds.actors import capabilities
from esante.services.ehds.cli import ehds

_PARTS: list[Part] = []
_WHOLE = combine(_PARTS)

SERVICE = Service(
    package="esante.services.ehds",
    build=_WHOLE.build,
    routes=_WHOLE.routes,
    capabilities=capabilities,
    consumers=_WHOLE.consumers,
    tasks=_WHOLE.tasks,
    dispositions=_WHOLE.dispositions,
    navigation=_WHOLE.navigation,
    kept=_WHOLE.kept,
    commands=[ehds],
)

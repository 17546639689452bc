"""Declaration of the record in the European Health Data Space."""

from esante.contract import Service
from esante.contract_parts import combine
from esante.core.types import Json
from esante.services.ehds import actors
from esante.services.ehds.cli import ehds
from esante.services.ehds.formats import api
from esante.services.ehds.formats.declaration import PART as FORMATS
from esante.services.ehds.opt_out.declaration import PART as OPT_OUT
from esante.services.ehds.portability.declaration import PART as PORTABILITY
from esante.services.ehds.requirements.declaration import REQUIREMENTS

_WHOLE = combine([FORMATS, PORTABILITY, OPT_OUT, REQUIREMENTS])


def _capabilities(base_url: str) -> Json:
    return api.capabilities(base_url) | actors.capabilities(base_url)


SERVICE = Service(
    package="esante.services.ehds",
    build=_WHOLE.build,
    routes=_WHOLE.routes,
    consumers=_WHOLE.consumers,
    tasks=_WHOLE.tasks,
    dispositions=_WHOLE.dispositions,
    capabilities=_capabilities,
    navigation=_WHOLE.navigation,
    kept=_WHOLE.kept,
    commands=[ehds],
)

"""Declaration of the exchange across borders."""

from esante.contract import Service
from esante.contract_parts import combine
from esante.services.exchange.audit.cli import figures, reconcile, statement
from esante.services.exchange.audit.declaration import AUDIT
from esante.services.exchange.cli import exchange
from esante.services.exchange.connector.declaration import CONNECTOR
from esante.services.exchange.consent.declaration import CONSENT
from esante.services.exchange.contact_points.cli import ncp
from esante.services.exchange.contact_points.declaration import CONTACT_POINTS
from esante.services.exchange.country_a.cli import serve
from esante.services.exchange.country_b.declaration import COUNTRY_B
from esante.services.exchange.hospital.cli import hospital
from esante.services.exchange.hospital.declaration import HOSPITALS
from esante.services.exchange.mllp.cli import mllp
from esante.services.exchange.mllp.declaration import MESSAGES
from esante.services.exchange.pages.declaration import OPERATOR_PAGES
from esante.services.exchange.settings import ExchangeSettings

for _command in (serve, figures, reconcile, statement):
    ncp.add_command(_command)
_PARTS = combine([CONTACT_POINTS, AUDIT, CONNECTOR, CONSENT, COUNTRY_B, HOSPITALS, MESSAGES, OPERATOR_PAGES])

SERVICE = Service(
    package="esante.services.exchange",
    settings=ExchangeSettings,
    build=_PARTS.build,
    routes=_PARTS.routes,
    consumers=_PARTS.consumers,
    tasks=_PARTS.tasks,
    dispositions=_PARTS.dispositions,
    navigation=_PARTS.navigation,
    kept=_PARTS.kept,
    commands=[exchange, ncp, hospital, mllp],
)

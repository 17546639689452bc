"""What the audit of messages adds to the declaration of the exchange."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from esante.contract import KeptData, Platform
from esante.contract_parts import Part
from esante.core.journal import Consumer
from esante.core.web import N_
from esante.services.exchange.audit.sender import AuditSender
from esante.services.exchange.audit.service import AuditTrail
from esante.services.exchange.audit.syslog import repository_at
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.settings import ExchangeSettings


def _build(platform: Platform) -> Iterable[object]:
    yield AuditTrail(platform.db, platform.journal)


def _consumers(platform: Platform) -> list[Consumer]:
    settings = platform.settings.of(ExchangeSettings)
    if not settings.ncp_audit_url:
        return []
    host = urlsplit(settings.ncp_url).hostname or "-"
    repository = repository_at(settings.ncp_audit_url, settings.ncp_audit_ca, host)
    return [AuditSender(platform[ContactPoints], repository, settings.ncp_url).consumer()]


AUDIT = Part(
    build=_build,
    consumers=_consumers,
    kept=[
        KeptData(
            what=N_("Requests about you from health professionals abroad: who asked, from where, for what, and when"),
            why=N_("So that you and the agency can see and prove what was sent to another country."),
        )
    ],
)

"""Puts country A together: the connector that the settings name, and the endpoints over it."""

from pathlib import Path

from starlette.routing import BaseRoute

from esante.contract import Platform
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.connector import NationalConnector
from esante.services.exchange.connector.record_connector import RecordConnector
from esante.services.exchange.contact_points import ContactPoints, NotConfigured
from esante.services.exchange.contact_points.publication import FHIR_PATH
from esante.services.exchange.country_a.authentication import Authentication
from esante.services.exchange.country_a.discovery import Discovery
from esante.services.exchange.country_a.document_query import DocumentQueries
from esante.services.exchange.country_a.endpoints import Endpoints
from esante.services.exchange.country_a.limits import RequestLimits
from esante.services.exchange.country_a.retrieval import Retrievals
from esante.services.exchange.country_a.submission import Submissions
from esante.services.exchange.fhir_api.server import FhirEndpoints
from esante.services.exchange.settings import ExchangeSettings
from esante.services.exchange.terminology import CodeCatalogue, load_catalogue, sample_catalogue
from esante.services.record import Record

RECORD = "record"
NO_CONNECTOR = (
    "ESANTE_NCP_CONNECTOR is not set: nothing answers other countries. Set it to record, and the shared record"
    " of this platform answers them; there is no default, so that nothing is answered by mistake."
)


def require_connector(settings: ExchangeSettings) -> None:
    """Require that the settings name a connector. Raises: `NotConfigured` for none, and for an unknown one."""
    if not settings.ncp_connector:
        raise NotConfigured(NO_CONNECTOR)
    if settings.ncp_connector != RECORD:
        raise NotConfigured(
            f"ESANTE_NCP_CONNECTOR is {settings.ncp_connector!r}; the connector that there is: {RECORD}"
        )


def open_connector(platform: Platform) -> NationalConnector:
    """Return the connector that the settings name. Raises: as `require_connector`."""
    settings = platform.settings.of(ExchangeSettings)
    require_connector(settings)
    catalogue = catalogue_of(settings)
    return RecordConnector(
        platform.db,
        platform[Directory],
        platform[Access],
        platform[Record],
        catalogue,
        platform[ContactPoints].home,
    )


def catalogue_of(settings: ExchangeSettings) -> CodeCatalogue:
    """Return the catalogue of the settings, or the sample. Raises: `NotUsable`."""
    return load_catalogue(Path(settings.ncp_catalogue)) if settings.ncp_catalogue else sample_catalogue()


def country_a_routes(
    points: ContactPoints, trail: AuditTrail, access: Access, connector: NationalConnector, url: str
) -> list[BaseRoute]:
    """Return the routes of country A over a connector; `url`: the address of the contact point."""
    authentication, limits = Authentication(points), RequestLimits(access)
    endpoints = Endpoints(
        points,
        trail,
        Discovery(authentication, limits, connector, points.home),
        DocumentQueries(authentication, limits, connector, points.country, points.home),
        Retrievals(authentication, limits, connector, points.home),
        Submissions(authentication, limits, connector),
    )
    fhir = FhirEndpoints(points, trail, authentication, limits, connector, f"{url}{FHIR_PATH}")
    return [*endpoints.routes(), *fhir.routes()]

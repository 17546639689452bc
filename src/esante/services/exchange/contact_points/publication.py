"""What other countries get to know of this contact point: the folder that `registration` reads on their side."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding

from esante.services.exchange.contact_points.model import Transaction
from esante.services.exchange.contact_points.own import SEAL, Own
from esante.services.exchange.contact_points.registration import DESCRIPTION
from esante.services.exchange.contact_points.service_metadata import Other, write_endpoint, write_search_mask
from esante.services.exchange.contact_points.terms import ContactPointTerms

PATHS = {
    Transaction.DISCOVERY: "/XCPD_Service",
    Transaction.LIST: "/XCA_Service",
    Transaction.RETRIEVE: "/XCA_Service",
    Transaction.SUBMIT: "/XDR_Service",
}
"""Paths of the transactions below the address of the contact point."""
FHIR_PATH = "/fhir"
LASTS = timedelta(days=365)


def write_publication(own: Own, terms: ContactPointTerms, url: str, at: datetime) -> Mapping[str, bytes]:
    """Return the files about this contact point, by name. `url`: its address, without a path."""
    until = min(at + LASTS, own.tls.not_valid_after_utc, own.issuer.certificate.not_valid_after_utc)
    period, seal = (at, until), (own.issuer.key, own.issuer.certificate)
    files = {
        f"{transaction}.xml": write_endpoint(own.country, transaction, url + path, own.tls, period, seal)
        for transaction, path in PATHS.items()
    }
    files["FHIR.xml"] = write_endpoint(own.country, Other.FHIR, url + FHIR_PATH, own.tls, period, seal)
    files["search-mask.xml"] = write_search_mask(own.country, list(terms.mask), period, own.tls, seal)
    files[SEAL] = own.issuer.certificate.public_bytes(Encoding.PEM)
    files[DESCRIPTION] = (
        f'country = "{own.country}"\n'
        f'home_community = "{own.home}"\n'
        f"languages = {_list(terms.languages)}\n"
        f"offers = {_list(sorted(terms.offers))}\n"
        f"asks = {_list(sorted(terms.offers))}\n"
    ).encode()
    return files


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{one}"' for one in values) + "]"

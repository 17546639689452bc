"""The national connector: the six calls by which a contact point asks its own country, and the one over our record."""

from esante.services.exchange.connector.abroad import professional_abroad
from esante.services.exchange.connector.model import (
    Dispensation,
    Fetched,
    Form,
    Found,
    Offered,
    OfferedList,
    Submitted,
)
from esante.services.exchange.connector.offers import Offer, offer_of, offers_on
from esante.services.exchange.connector.port import NationalConnector

__all__ = [
    "Dispensation",
    "Fetched",
    "Form",
    "Found",
    "NationalConnector",
    "Offer",
    "Offered",
    "OfferedList",
    "Submitted",
    "offer_of",
    "offers_on",
    "professional_abroad",
]

"""The national contact points: this one's identity, and what is known of those of other countries."""

from esante.services.exchange.contact_points.model import ContactPoint, FieldKind, MaskField, Transaction
from esante.services.exchange.contact_points.own import NotConfigured, Own
from esante.services.exchange.contact_points.service import ContactPoints

__all__ = ["ContactPoint", "ContactPoints", "FieldKind", "MaskField", "NotConfigured", "Own", "Transaction"]

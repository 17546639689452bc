"""What is kept of each message between contact points, and what can be proved with it."""

from esante.services.exchange.audit.loss_store import loss_rows
from esante.services.exchange.audit.model import ConnectionRefused, Exchanged, MessageExchanged, Side
from esante.services.exchange.audit.service import AuditTrail

__all__ = ["AuditTrail", "ConnectionRefused", "Exchanged", "MessageExchanged", "Side", "loss_rows"]

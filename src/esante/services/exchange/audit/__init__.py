"""What is kept of each message between contact points, and what can be proved with it."""

from esante.services.exchange.audit.loss_store import loss_rows
from esante.services.exchange.audit.model import Exchanged, MessageExchanged, Side
from esante.services.exchange.audit.service import AuditTrail

__all__ = ["AuditTrail", "Exchanged", "MessageExchanged", "Side", "loss_rows"]

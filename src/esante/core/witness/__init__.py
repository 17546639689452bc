"""A witness: a small process that co-signs the heads of logs, and so makes sure that nobody sees another history.

It follows C2SP `tlog-witness`, needs no database and knows nothing of esante: any log with signed checkpoints may use
it, and the journal may use any other witness.
"""

from esante.core.witness.api import create_app
from esante.core.witness.state import StateError, WitnessState
from esante.core.witness.witness import Refusal, Witness

__all__ = ["Refusal", "StateError", "Witness", "WitnessState", "create_app"]

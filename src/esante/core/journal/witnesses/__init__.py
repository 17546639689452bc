"""Witnesses of the journal: each signed head is submitted to them, and their co-signatures are kept."""

from esante.core.journal.witnesses.remote_witness import RemoteWitness, parse_witnesses
from esante.core.journal.witnesses.submitter import Witnesses, WitnessStatus

__all__ = ["RemoteWitness", "WitnessStatus", "Witnesses", "parse_witnesses"]

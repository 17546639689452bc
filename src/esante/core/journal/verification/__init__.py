"""The verification of the journal: every leaf, checkpoint and entry recomputed from what is stored."""

from esante.core.journal.verification.verifier import VerificationReport, verify

__all__ = ["VerificationReport", "verify"]

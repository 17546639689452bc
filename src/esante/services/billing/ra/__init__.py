"""Accelerated reimbursement (RA): deposit of fee notes, sending to the CNS, consents, delegation."""

"""Payments to professionals: ledger, SEPA messages, bank, reconciliation."""

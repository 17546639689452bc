"""Fee notes: accelerated reimbursement (RA), immediate direct payment (PID), and the ledger of payments."""

"""Financial incentives for digital practice: schemes as dated data, decided from evidence in the journal, and paid."""

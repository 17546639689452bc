"""What of records enters secondary use: read person by person in one order, without a requester."""

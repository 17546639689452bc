"""Who may sign in: holders, staff of the agency, recoveries of accounts."""

"""Stand-ins for the partners outside: they run as processes of their own, for demonstrations and tests."""

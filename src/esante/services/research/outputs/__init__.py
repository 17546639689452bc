"""What leaves the environment: tables of aggregates, checked by rules and released by people."""

"""The budget of schemes: spent, committed, expected."""

"""The rooms with tables, in the order in which their migrations are applied."""

ROOMS = ("web", "journal", "directory", "access", "record", "notices", "subscriptions", "demo")

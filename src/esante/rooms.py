"""The rooms with tables, in the order in which their migrations are applied."""

ROOMS = (
    "web",
    "journal",
    "fhir",
    "directory",
    "access",
    "record",
    "notices",
    "export",
    "subscriptions",
    "bulletin",
    "demo",
)

"""Texts for the reasons why a delivery failed or a subscription ended."""

from esante.core.web import N_, translator

DELIVERY_FAILURES = {
    "address": N_("The address of the endpoint cannot be notified."),
    "connection": N_("The endpoint does not take connections."),
    "tls": N_("The endpoint's certificate or TLS is not good."),
    "timeout": N_("The endpoint did not answer in time."),
    "answer": N_("The endpoint broke off, or its answer is not HTTP."),
    "status": N_("The endpoint answered with an error."),
}
"""Msgids by the `reason` of `rest_hook.EndpointUnreachable` and `rest_hook.NotificationNotAccepted`."""
END_CAUSES = {
    "expired": N_("The subscription has come to its end."),
    "too-old": N_("The subscription was in error for too long."),
    "too-many": N_("Too many events were waiting."),
    "not-allowed": N_("The subscriber may no longer be told."),
}
"""Msgids by the `cause` of `model.SubscriptionEnded` where the platform ended it."""


def describe_error(error: str) -> tuple[str, str]:
    """Return the msgid and the HTTP status ("" for none) of a stored error: a key, and perhaps a status."""
    key, _, status = error.partition(" ")
    return {**DELIVERY_FAILURES, **END_CAUSES}.get(key, ""), status


def error_in_english(error: str) -> str:
    """Return the text of a stored error for a FHIR resource; "" for none."""
    msgid, status = describe_error(error)
    return " ".join(part for part in (translator("en").gettext(msgid) if msgid else "", status) if part)

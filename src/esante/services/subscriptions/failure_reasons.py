"""Why a delivery failed, in words."""

from esante.core.web import N_, translator

REASONS = {
    "address": N_("The address of the endpoint cannot be notified."),
    "connection": N_("The endpoint does not take connections."),
    "tls": N_("The endpoint's certificate or TLS is not good."),
    "timeout": N_("The endpoint did not answer in time."),
    "answer": N_("The endpoint broke off, or its answer is not HTTP."),
    "status": N_("The endpoint answered with an error."),
}
"""By the keys of `sending.Unreached` and `sending.NotTaken` (msgids)."""
ENDED = {
    "expired": N_("The subscription has come to its end."),
    "too-old": N_("The subscription was in error for too long."),
    "too-many": N_("Too many events were waiting."),
    "not-allowed": N_("The subscriber may no longer be told."),
}
"""Why a subscription was turned off, by the causes of `model.Ended` (msgids)."""


def words_of(error: str) -> tuple[str, str]:
    """An error as it is kept (a key, and perhaps a status) in words (a msgid), with the status."""
    key, _, status = error.partition(" ")
    return {**REASONS, **ENDED}.get(key, ""), status


def in_english(error: str) -> str:
    """An error for a resource; "" for none."""
    words, status = words_of(error)
    return " ".join(part for part in (translator("en").gettext(words) if words else "", status) if part)

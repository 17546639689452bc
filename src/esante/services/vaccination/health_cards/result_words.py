"""What the result of a verification means, in plain words."""

from collections.abc import Callable, Mapping

from esante.core.types import Json
from esante.core.web import N_
from esante.services.vaccination.card.immunization import ATC, CVX
from esante.services.vaccination.health_cards.model import Result
from esante.services.vaccination.products.catalogue import catalogue

WORDS: Mapping[Result, tuple[str, str]] = {
    Result.VALID: (
        N_("The card is genuine"),
        N_("It was signed by the issuer below and nobody has changed it. Compare the name with an identity document."),
    ),
    Result.NOT_A_CARD: (
        N_("This is not a vaccination card"),
        N_("The code or file is something else. Ask for the square code of the signed vaccination card."),
    ),
    Result.DAMAGED: (
        N_("The card cannot be read"),
        N_("It is damaged or incomplete. Scan it again, or ask for the file."),
    ),
    Result.TOO_LARGE: (
        N_("The card is too large"),
        N_("It holds more than a vaccination card does and was not opened."),
    ),
    Result.UNKNOWN_ISSUER: (
        N_("The issuer is not known here"),
        N_("Somebody signed the card, but this page does not know the issuer and cannot say whether it is genuine."),
    ),
    Result.UNKNOWN_KEY: (
        N_("The key of the card is not known here"),
        N_("The key was withdrawn, or it is newer than this page. Load the page again and check the card once more."),
    ),
    Result.WRONG_SIGNATURE: (
        N_("The card is not genuine"),
        N_("It was changed after it was signed, or somebody else signed it. Do not accept it."),
    ),
    Result.KEY_EXPIRED: (
        N_("The key of the card had expired"),
        N_("The card says that it was signed after the key was taken out of use. Do not accept it."),
    ),
    Result.NOT_YET_VALID: (
        N_("The card is not valid yet"),
        N_("It begins later than the clock of this device. Check date and time of the device."),
    ),
    Result.EXPIRED: (N_("The card has expired"), N_("It was valid until a date that has passed. Ask for a new one.")),
    Result.REVOKED: (
        N_("The card was declared invalid"),
        N_("The person or the issuer withdrew it. Do not accept it; ask for a new one."),
    ),
}
"""Title and explanation (msgids) of each result."""
_LABELS = {
    "name": N_("Name"),
    "born": N_("Date of birth"),
    "issuer": N_("Signed by"),
    "issued": N_("Signed on"),
    "doses": N_("Vaccinations"),
    "lot": N_("Lot"),
}


def page_words(gettext: Callable[[str], str]) -> Json:
    """Return the texts that the page's script shows."""
    titles = {result.value: gettext(title) for result, (title, _) in WORDS.items()}
    texts = {result.value: gettext(text) for result, (_, text) in WORDS.items()}
    return {"titles": titles, "texts": texts, **{key: gettext(label) for key, label in _LABELS.items()}}


def vaccine_names(gettext: Callable[[str], str]) -> Json:
    """Return the diseases that a vaccine protects against, in words, by `system|code`."""
    known = catalogue()
    codes = {(CVX, code) for product in known.products.values() for code in product.cvx}
    codes |= {(ATC, product.atc) for product in known.products.values() if product.atc}
    names: Json = {}
    for system, code in sorted(codes):
        having = [one for one in known.products.values() if code in (one.cvx if system == CVX else (one.atc,))]
        common = set.intersection(*(set(one.antigens) for one in having))
        labels = [gettext(antigen.label) for key, antigen in known.antigens.items() if key in common]
        if labels:
            names[f"{system}|{code}"] = labels
    return names

"""Sites as a command line names them: a key of a list, KIND[/PROFESSION][+quarantined] for any such site, or
federation/NAME for the network of another operator.
"""

from collections.abc import Mapping

from esante.services.healthnet.policy.model import FEDERATION, PRACTICE, Site
from esante.services.healthnet.policy.parser import Vocabulary


def site_of(text: str, sites: Mapping[str, Site], words: Vocabulary, *, place: str) -> Site:
    """Return the site of a text; `place` tells any source from any target. Raises: ValueError with the remedy."""
    if text in sites:
        return sites[text]
    traits, plus, state = text.partition("+")
    kind, slash, profession = traits.partition("/")
    if kind == "federation" and profession:
        return Site(key=f"any {place} {text}", kind=FEDERATION + profession, is_quarantined=state == "quarantined")
    if kind not in words.kinds:
        known = "a key of --sites, or " if sites else ""
        raise ValueError(
            f"{text[:60]!r} is no site: write {known}KIND[/PROFESSION][+quarantined], KIND being one of "
            f"{', '.join(sorted(words.kinds))}"
        )
    if plus and state != "quarantined":
        raise ValueError(f"{state[:40]!r} is no state: write +quarantined")
    if slash and (kind != PRACTICE or profession not in words.professions):
        raise ValueError(
            f"{profession[:40]!r} is not a profession of a {kind}: only a {PRACTICE} has one, of "
            f"{', '.join(sorted(words.professions))}"
        )
    return Site(key=f"any {place} {text}", kind=kind, profession=profession, is_quarantined=bool(plus))

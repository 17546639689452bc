"""Normalization of texts for searches: no case, accents, punctuation, or differences of white space (search.html,
"string")."""

import functools
import unicodedata

#: Characters; longer texts are not cached.
_LONGEST_CACHED = 120


def normalize(text: str) -> str:
    """Return the text in lower case without accents, with single spaces for white space and punctuation."""
    return _cached_normalized(text) if len(text) <= _LONGEST_CACHED else _compute_normalized(text)


def _compute_normalized(text: str) -> str:
    text = text.casefold()
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(each for each in decomposed if not unicodedata.combining(each)).casefold()
    if not text.isalnum():
        text = " ".join("".join(each if each.isalnum() else " " for each in text).split())
    return text


_cached_normalized = functools.lru_cache(16_384)(_compute_normalized)

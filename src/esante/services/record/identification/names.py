"""Comparison of names as people and systems write them.

Case, accents, hyphens, apostrophes, the order of the parts, particles, transliterations (ä, ae, a; ß, ss) and initials
make no difference; a person may be named by one of several family names (maiden name, both names of a couple) or given
names. Nicknames and slips of the pen do: they are not the same name.
"""

from collections.abc import Callable, Iterable, Sequence

from esante.identity.directory import normalize_name
from esante.services.record.identification.model import PersonName

_LETTERS = str.maketrans(
    {"ø": "o", "Ø": "O", "æ": "a", "Æ": "A", "œ": "o", "Œ": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d"}
    | {"Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"}
)
"""Letters that Unicode does not decompose."""
_TRANSLITERATIONS = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))
"""Transliterations of ä, ö, ü and å: both ways of writing, and the letter without its accent, become the same."""
_PARTICLES = frozenset(
    # particles of family names
    "a al ben bin d da dal das de degli dei del della den der des di do dos du e el et ibn la las le lo los l o of "  # noqa: SIM905
    "s san t te ten ter thor und v van vanden vander vom von y z zu zum zur "
    # words between or before the family names of one person
    "alias born dit dite divorcee ep epouse fka geb geborene geborener gebuer gebuerene genannt nata nascida nasc ne "
    "nee nom verh verheiratet verw veuve vve "
    # titles
    "dr docteur herr frau here fra madame mme monsieur m mr mrs ms mlle sr sra senhor senhora".split()
)
"""Words that tell no person from another; they count where a name has nothing else."""
_LONGEST_RUN = 4


def name_words(text: str) -> list[str]:
    """Return the words of a name as they are compared."""
    return [_fold_word(word) for word in normalize_name(text.translate(_LETTERS)).split()]


def is_same_name(one: PersonName, other: PersonName) -> bool | None:
    """Return whether two names may be of one person; None where a name is missing, or they are in two scripts."""
    family, given = name_words(one.family), name_words(" ".join(one.given))
    other_family, other_given = name_words(other.family), name_words(" ".join(other.given))
    if not other_family and not other_given:
        return _is_in_text(family, given, name_words(other.text))
    if not (family and other_family) and not (given and other_given):
        return None
    if _is_latin(family + given) != _is_latin(other_family + other_given):
        return None
    straight = _agree(family, other_family, is_same_family) and _agree(given, other_given, is_same_given)
    swapped = (_agree(family, other_given, is_same_family) and _agree(given, other_family, is_same_given)) or (
        _agree(other_family, given, is_same_family) and _agree(other_given, family, is_same_given)
    )
    return straight or (swapped and all((family, given, other_family, other_given)))


def is_same_family(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether the words of two family names have a name in common."""
    return not forms(one).isdisjoint(forms(other))


def is_same_given(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether the first of some given names is among the others, or the other way round.

    One in common is not enough: the middle names of brothers and sisters are often the same.
    """
    return _has_first(one, other) or _has_first(other, one)


def forms(words: Sequence[str]) -> frozenset[str]:
    """Return the single names in some words, and several together: "van den Berg" is also "Vandenberg"."""
    significant = [word for word in words if word not in _PARTICLES and len(word) > 1] or list(words)
    runs = (
        words[start:end]
        for start in range(len(words))
        for end in range(start + 2, min(start + _LONGEST_RUN, len(words)) + 1)
    )
    joined = ("".join(run) for run in runs if any(word not in _PARTICLES for word in run))
    return frozenset((*significant, *joined))


def is_particle(word: str) -> bool:
    """Return whether a word of a name tells no person from another: "van", "Dr", "née"."""
    return word in _PARTICLES


def _agree(one: Sequence[str], other: Sequence[str], is_same: Callable[[Sequence[str], Sequence[str]], bool]) -> bool:
    """Return whether two parts are the same, or one of them is missing."""
    return not one or not other or is_same(one, other)


def _is_in_text(family: Sequence[str], given: Sequence[str], words: Sequence[str]) -> bool | None:
    """Return whether a text that is a name, in whatever order, has this family name and given name."""
    if not words or not family or _is_latin(words) != _is_latin(family):
        return None
    own = forms(family)
    rest = [word for word in words if word not in own and word not in _PARTICLES]
    return is_same_family(family, words) and (not given or not rest or is_same_given(given, rest))


def _has_first(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether the first of some given names, alone or written as one with the next, is among the others."""
    if not one or not other:
        return False
    first, first_other = one[0], other[0]
    is_initial = len(first) == 1 and first_other.startswith(first)
    return is_initial or not {first, "".join(one[:2])}.isdisjoint((*other, *forms(other)))


def _is_latin(words: Iterable[str]) -> bool:
    """Return whether some words are in the Latin alphabet (Unicode blocks Basic Latin to Latin Extended-B)."""
    return all(ord(char) < 0x250 for word in words for char in word)


def _fold_word(word: str) -> str:
    for written, letter in _TRANSLITERATIONS:
        word = word.replace(written, letter)
    return word

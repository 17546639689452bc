"""Why shared cases differ from the advice, by case: of the release that they were written for, and of a later one."""

_DOSE_NUMBER = (
    "the case itself: forecast number 3, where FORECASTDN-1 counts the doses of the current season only, which gives 2"
)
_HEPA = (
    "HepA: release 4.64 has no latest recommended age for dose 2 of the 2-dose series, so that it is past due by its "
    "interval and not by its age"
)
_HPV_AGE = "HPV: the maximum age is 46 years in release 4.64 and was 27"
_HPV_INTERVAL = "HPV: dose 3 has lost the recommended interval from dose 2 in release 4.64"
_PCV = "PCV: recommended from 50 years on in release 4.64, and was from 65"
_POLIO = (
    "POL: in release 4.64 dose 4 of the 5-dose series is not needed from 4 years on; the dose at that age, 4 months after "
    "the one before, was that dose in 4.38, and now comes too soon in every series"
)
_COVID = (
    "COVID-19: the advice of autumn 2022 (primary series, then a booster, from September 2022 on a bivalent one 2 months "
    "after the last dose) has been replaced; release 4.64 holds that of the season 2025-26"
)
WRITTEN_FOR = {"2016-0012": _DOSE_NUMBER}
"""With release 4.38."""
LATER = {
    "2016-0012": _DOSE_NUMBER,
    **dict.fromkeys(("2013-0188", "2013-0190", "2013-0191", "2019-0011", "2019-0014"), _HEPA),
    **dict.fromkeys(("2013-0480", "2013-0481"), _HPV_AGE),
    "2013-0467": _HPV_INTERVAL,
    "2019-0008": _PCV,
    "2013-0640": _POLIO,
}
"""With release 4.64, but for COVID-19."""


def cause(id: str, label: str, causes: dict[str, str]) -> str | None:
    """Why a case differs, or None when nobody has looked yet."""
    return causes.get(id) or (_COVID if label == "COVID-19" and causes is LATER else None)

"""The rules of the logic itself, beside those of the data: what an advice names where no row of a rule set decided."""

from esante.services.vaccination.forecast.rules.model import Rule

CONDITION = "logic/6.1"
INADVERTENT = "logic/6.3"
AGE = "logic/6.4"
VACCINE = "logic/6.9"
SATISFIED = "logic/6.10"
EXTRANEOUS = "logic/4.4"
ORGANISATION = "logic/4.2"
LAST_DOSE = "logic/FORECASTDTCAN-1"
COMPLETE = "logic/7.4-complete"
PAST_HISTORY = "logic/7.4-past-history"
EARLIEST = "logic/FORECASTDT-2"
PRIORITY = "logic/MULTIANTVG-1"
RELEVANCE = "logic/5.1"

_TEXTS = {
    CONDITION: ("6.1", "A dose of an expired lot, or one flagged as unfit, does not count."),
    INADVERTENT: ("6.3", "A vaccine that the series names as given inadvertently does not count."),
    AGE: ("6.4", "The age at the dose is compared with the ages of the target dose."),
    VACCINE: ("6.8, 6.9", "The vaccine is neither preferable nor allowable for the target dose."),
    SATISFIED: ("6.10", "Age, interval, conflicts and vaccine are as the target dose asks."),
    EXTRANEOUS: ("4.4", "Every target dose was satisfied before; later doses are extraneous."),
    ORGANISATION: ("4.2", "A dose is evaluated when its vaccine is known and its day lies within the person's life."),
    LAST_DOSE: ("7.4, FORECASTDTCAN-1", "No dose is due before the last one that was given."),
    COMPLETE: ("7.4", "Every target dose is satisfied or skipped."),
    PAST_HISTORY: ("7.4", "Every target dose is skipped, because of earlier doses or of age."),
    EARLIEST: ("7.5, FORECASTDT-2, FORECASTDT-5", "No other date is later than the earliest date."),
    PRIORITY: ("9.3, MULTIANTVG-1", "A priority interval is not earlier than the last dose of the group."),
    RELEVANCE: ("5.1", "No series is for this person."),
}
LOGIC_RULES = {
    id: Rule(id, f"CDSi Logic Specification 4.5, section {section}", verified=True, text=text)
    for id, (section, text) in _TEXTS.items()
}
"""All rules of the logic by their id."""

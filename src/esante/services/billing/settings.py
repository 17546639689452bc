"""The settings of fee notes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingSettings:
    """Settings of fee notes.

    `cns_url`: the address of the health insurance; empty: none, then what is for it waits. `cns_ca`: file of the
    authorities that its certificate is checked against; empty: the usual ones. `cns_timeout`: seconds for an answer.
    `ra_interval`: seconds between two turns of the messages to it. `ra_question_pause`: seconds between two questions
    whether a note was reimbursed.
    """

    cns_url: str = ""
    cns_ca: str = ""
    cns_timeout: int = 5
    ra_interval: int = 10
    ra_question_pause: int = 900

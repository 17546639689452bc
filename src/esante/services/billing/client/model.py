"""Types of the client: a note in the queue, its state and its way, what the platform answered."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How far a note is, for the doctor to see."""

    QUEUED = "queued"
    SIMULATED = "simulated"
    """The shares are known; it waits for the confirmations, or for the answer of the payment."""
    PAID = "paid"
    """The health insurance pays its share to the doctor."""
    DEPOSITED = "deposited"
    """It is on the platform for accelerated reimbursement: the patient pays, and asks the insurance."""
    PRINTED = "printed"
    """The platform could not be reached: hand it over on paper, with its 2D code; it is deposited later by itself."""
    REFUSED = "refused"


FINAL = frozenset({State.PAID, State.DEPOSITED, State.REFUSED})


class Way(StrEnum):
    """The way of a note. Once on RA it never goes back: the patient may have paid the whole amount."""

    PID = "pid"
    RA = "ra"


class QueueError(ValueError):
    """A note that cannot be put into the queue; the text says why, and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmations:
    """What was confirmed before a payment: by doctor and patient, and that the patient paid their share."""

    doctor: bool = True
    patient: bool = True
    personal_share: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A note in the queue.

    `validating`: its payment was asked for, and the answer is not known to have been a refusal: from then on it is
    never deposited by RA. `next_at`: seconds (Unix time) from which it is tried again. `version` counts its changes.
    """

    id: str
    body: bytes
    state: State = State.QUEUED
    way: Way = Way.PID
    simulation_id: str = ""
    statutory: str = ""
    personal: str = ""
    confirmations: Confirmations | None = None
    validating: bool = False
    payment_id: str = ""
    attempts: int = 0
    next_at: float = 0.0
    cause: str = ""
    version: int = 0

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be done with it."""
        return self.state in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The answer of a simulation; amounts as texts with two decimals."""

    id: str
    statutory: str
    personal: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the platform knows of a note: on which way it came, its payment, whether it was cancelled since."""

    way: Way
    payment_id: str = ""
    cancelled: bool = False


class Unavailable(Exception):
    """No answer, or none that says what happened: the platform or the network is away."""


class Refused(Exception):
    """The platform refused for good; `status` is that of HTTP, the text is the cause."""

    def __init__(self, status: int, cause: str) -> None:
        super().__init__(cause)
        self.status = status

"""The kinds of messages (modelUID) that the exchange answers."""

from collections.abc import Mapping

from esante.services.billing.exchange.api import Answer
from esante.services.billing.exchange.pid_messages import PidMessages
from esante.services.billing.exchange.ra_messages import RaMessages


def models(pid: PidMessages, ra: RaMessages) -> Mapping[str, Answer]:
    """Return what answers each kind of message."""
    return {
        "2023-CNS-PID-SIM-V1": pid.simulate,
        "2023-CNS-PID-VAL-V1": pid.validate,
        "2023-CNS-PID-CON-V1": pid.contest,
        "2022_CNS_MEMHON_DEPOT-V1": ra.deposit,
        "2022_CNS_MEMHON_ANNUL-V1": ra.cancel,
        "2022_CNS_MEMHON_REMBCONS-V1": ra.consent,
    }

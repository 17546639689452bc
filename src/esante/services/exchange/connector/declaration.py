"""What the connector over the record adds to the declaration of the exchange."""

from esante.contract import KeptData, Platform
from esante.contract_parts import Part
from esante.core.storage import Connection
from esante.core.web import N_
from esante.identity.access import Act, Disposition, DispositionHandler, StepOutcome
from esante.services.exchange.connector import dispensation_store as store


async def _delete_record(conn: Connection, disposition: Disposition) -> StepOutcome:
    """Delete the answers about prescriptions of a person whose record is deleted."""
    return StepOutcome(await store.delete_of_person(conn, disposition.person_id), finished=True)


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    return [DispositionHandler(act=Act.DELETE, step=_delete_record)]


CONNECTOR = Part(
    dispositions=_dispositions,
    kept=[
        KeptData(
            what=N_("Of your prescriptions that were dispensed abroad: which one, in which country, and when"),
            why=N_("So that a prescription is dispensed once, and a pharmacy abroad always gets the same answer."),
        )
    ],
)

"""The gateways a phone can stand behind, by name. Each file is written from documents alone."""

from collections.abc import Mapping

from simulator.dialects.africastalking import AfricasTalking
from simulator.dialects.arkesel import Arkesel
from simulator.dialects.dialect import Dialect
from simulator.dialects.hubtel import Hubtel
from simulator.dialects.mtn import Mtn
from simulator.dialects.nalo import Nalo

AFRICASTALKING: Dialect = AfricasTalking()

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        AFRICASTALKING,
        Hubtel(),
        Nalo(),
        Nalo("nalo-older", has_session_ids=False),
        Arkesel(),
        Mtn(),
    )
}

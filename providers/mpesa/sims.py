"""When a Safaricom SIM was changed: Daraja's product "Swap" (IMSI), a contract of its own.

Facts: not in reference `mpesa.md`; Safaricom's page of the product as others have kept it, never
seen on the wire. `lastSwapDate` is read day first and in Nairobi's time: its one sample is
`01-01-1900 00:00`, which stands for no change within three months.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from engine.errors import Unreadable
from engine.msisdn import Msisdn
from providers.mpesa.answers import NAME, error_of
from providers.mpesa.api import Daraja
from providers.mpesa.settings import MpesaSettings

NAIROBI: Final = timezone(timedelta(hours=3))  # what M-PESA itself sends; no summer time
NEVER_YEAR = 1900
_STAMP = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{4} [0-9]{2}:[0-9]{2}")


class SimChanges:
    """See `engine.ports.SimPort`."""

    def __init__(self, api: Daraja, settings: MpesaSettings) -> None:
        self.tells_sims = settings.sim_swap
        self._swap_api = api
        self._swap_url = api.url("/imsi/v2/checkATI")

    async def sim_changed_at(self, msisdn: Msisdn) -> datetime | None:
        """None: not within the last three months. A repeat is safe, and has its price."""
        message = {"customerNumber": msisdn.digits}
        answer = await self._swap_api.post("sim_swap", self._swap_url, message)
        if not answer.response.is_success or answer.word("responseCode") != "200":
            raise error_of(answer)
        stamp = answer.word("lastSwapDate")
        if not _STAMP.fullmatch(stamp):
            raise Unreadable(NAME, "no moment of a SIM's last change")
        try:
            changed_at = datetime.strptime(stamp, "%d-%m-%Y %H:%M").replace(tzinfo=NAIROBI)
        except ValueError as error:
            raise Unreadable(NAME, "no moment of a SIM's last change") from error
        return None if changed_at.year <= NEVER_YEAR else changed_at.astimezone(UTC)

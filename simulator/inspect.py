"""Client of the server's inspection door: payments, the books, and where sessions stand.

Read only; full numbers never come through this door.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import httpx
import msgspec

from simulator import amounts
from simulator.places import Places


class Amount(msgspec.Struct, frozen=True):
    """Money as it stands in the books."""

    minor: int
    currency: str

    def __str__(self) -> str:
        return amounts.show(self.minor, self.currency)


class Posting(msgspec.Struct, frozen=True):
    """Money from the credited to the debited account, in one currency."""

    debit: str
    credit: str
    minor: int
    currency: str

    @property
    def amount(self) -> Amount:
        return Amount(self.minor, self.currency)


class Step(msgspec.Struct, frozen=True):
    """One committed transition of a payment."""

    version: int
    state: str
    at: datetime
    postings: list[Posting]


class Attempt(msgspec.Struct, frozen=True):
    """One try at moving money at an operator."""

    attempt_id: str
    direction: str
    operator: str
    at: datetime


class Heard(msgspec.Struct, frozen=True):
    """Something the outside told about an attempt: an answer, a callback, a query's answer."""

    attempt_id: str
    source: str
    at: datetime


class Sent(msgspec.Struct, frozen=True):
    """An SMS about the payment, and what became of it."""

    template: str
    status: str
    at: datetime


class Stage(msgspec.Struct, frozen=True):
    """How far the settlement of a payment got, and when."""

    stage: str
    at: datetime


class Settlement(msgspec.Struct, frozen=True):
    """How the operators of a payment are squared: in a window, in a batch, on the chain.

    `transaction` (hex) and `version` are where the chain has it, once it is settled.
    """

    corridor: str
    stage: str
    batch: str | None = None
    transaction: str | None = None
    version: int | None = None
    stages: list[Stage] = []


class Payment(msgspec.Struct, frozen=True):
    """A payment as the server tells it, oldest step first."""

    payment_id: str
    code: str
    state: str
    amount: Amount
    fee: Amount
    receives: Amount
    payer: str
    payee: str
    steps: list[Step]
    attempts: list[Attempt]
    heard: list[Heard] = []
    messages: list[Sent] = []
    settlement: Settlement | None = None


class Account(msgspec.Struct, frozen=True):
    """One account with its balance on its natural side."""

    account: str
    currency: str
    side: str
    minor: int

    @property
    def amount(self) -> Amount:
        return Amount(self.minor, self.currency)


class Books(msgspec.Struct, frozen=True):
    """Every account, and whether debits equal credits in each currency."""

    balanced: bool
    accounts: list[Account]


class Session(msgspec.Struct, frozen=True):
    """One dialogue as the server keeps it. `screens`: its way, the one it stands on last."""

    session_id: str
    screens: list[str]
    step: int
    at: datetime  # of its last turn, in whole seconds
    menu: str  # the edition it began with
    state: str  # open, ended, dropped
    language: str = ""


class _Payments(msgspec.Struct):
    payments: list[Payment]


class _Sessions(msgspec.Struct):
    sessions: list[Session]


class Inspector:
    """The door itself.

    Raises httpx.HTTPError when the server does not answer or refuses the token, and
    msgspec.DecodeError when it tells something else than was agreed.
    """

    def __init__(self, client: httpx.AsyncClient, places: Places) -> None:
        self._client = client
        self._server = places.server
        self._headers = {"authorization": f"Bearer {places.inspect_token}"}

    async def payments(self, msisdn: str, *, limit: int = 5) -> Sequence[Payment]:
        """The latest payments from or to this number, newest first."""
        query = {"msisdn": msisdn, "limit": str(limit)}
        body = await self._get("payments", query)
        # The ids carry the time (UUIDv7), so no clock of ours is asked.
        found = msgspec.json.decode(body, type=_Payments).payments
        return sorted(found, key=lambda payment: payment.payment_id, reverse=True)

    async def books(self) -> Books:
        return msgspec.json.decode(await self._get("books", {}), type=Books)

    async def sessions(self, msisdn: str, session_ids: Sequence[str] = ()) -> Sequence[Session]:
        """This phone's last session and those named, as far as the server still keeps them.

        None from a server that has no such door yet.
        """
        try:
            body = await self._get("sessions", {"msisdn": msisdn, "session": list(session_ids)})
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return []
            raise
        return msgspec.json.decode(body, type=_Sessions).sessions

    async def _get(self, name: str, query: Mapping[str, str | list[str]]) -> bytes:
        if not self._server:
            raise httpx.UnsupportedProtocol("there is no inspection door here (--server names it)")
        url = f"{self._server}/inspect/{name}"
        response = await self._client.get(url, params=query, headers=self._headers)
        return response.raise_for_status().content

"""Requests for money: one person asks, another pays or declines, and it ends by itself.

A request moves nothing. Paying one is a payment like any other, quoted here and confirmed by
`confirming.py`; why that happens once, whoever approves, is `request_store.py`.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec

from engine.clock import Clock, CustomerId, Ids, first_id_at, made_at, ms_of
from engine.customers.customers import Customer
from engine.errors import CustomerMistake, NoWayNow, OurFault, TextKey
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn
from engine.outages import one_by_one
from engine.payments.notices import Message, write_message
from engine.payments.payment import code_of, read_code
from engine.payments.request_store import Bounds, Intended, RequestStore, Stored
from engine.payments.routing import Directory
from engine.payments.selling import Selling
from engine.payments.views import Asked, MoneyRequest, RequestState
from engine.privacy.codec import TOMBSTONE

TRIES_MAX = 5
"""How often it is looked again when a payment for the request ended or began meanwhile."""

_R = RequestState


class RequestRules(msgspec.Struct, frozen=True):
    """How long a request waits, in seconds, and how many there may be."""

    open_seconds: int = 7 * 24 * 3600
    unpaid_most: int = 5  # of one requester and one payer
    recent_most: int = 20  # of one requester within any 24 hours, whatever became of them
    again_seconds: int = 15 * 60  # so long the same from the same person is the same request


class Requests:
    """The requests of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        store: RequestStore,
        selling: Selling,
        directory: Directory,
        language_of: Callable[[Msisdn], Awaitable[str]],
        clock: Clock,
        ids: Ids,
        rules: RequestRules,
    ) -> None:
        """`language_of` also knows a language for numbers that are no customers."""
        self._store = store
        self._selling = selling
        self._directory = directory
        self._language_of = language_of
        self._clock = clock
        self._ids = ids
        self._rules = rules

    async def ask(
        self, requester: Customer, network: str, payer: Msisdn, amount: Money, *, key: str
    ) -> Asked:
        """Ask somebody for money, once per key, and tell them by SMS; they need be no customer.

        The same asked again within `again_seconds` while it is unpaid is that request: who did not
        see the last screen dials and asks once more (`decisions/0038`).
        `amount` is what is to arrive, in the currency of the requester's wallet at the operator of
        `network`. Raises CustomerMistake (own number, operator unknown or unsupported, an amount
        that cannot be made to arrive, `mistake.requests_full`), NoWayNow without a corridor or a
        rate, OurFault when the key was used for another request.
        """
        # Whoever repeats a request that was taken on hears that, whatever holds today.
        known = await self._store.known(key)
        if known is None:
            wallet = await self._check(requester, network, payer, amount)
            known = await self._enter(requester, wallet, payer, amount, key)
        if not _is_same(known, requester, payer, amount):
            raise OurFault(f"request {known.code} was made under the key of another")
        return Asked(known.code)

    async def check(self, requester: Customer, network: str, payer: Msisdn, amount: Money) -> None:
        """Whether that much could be asked of them at this moment; asks nobody and keeps nothing.

        Raises what `ask` would, but for how many requests there are.
        """
        await self._check(requester, network, payer, amount)

    async def check_payer(self, requester: Customer, network: str, payer: Msisdn) -> None:
        """Whether they could be asked for anything at this moment; asks nobody and keeps nothing.

        Raises what `ask` would of the two numbers, before anybody types an amount.
        """
        wallet = await self._wallet(requester, network, payer)
        self._selling.check_way(payer=payer, payee=requester.msisdn, wallet=wallet)

    async def requests_to(self, msisdn: Msisdn, most: int = 10) -> list[MoneyRequest]:
        """What a number is asked for and can pay or decline now; the newest first."""
        now_ms = self._now_ms()
        return [_seen(stored, now_ms) for stored in await self._store.to(msisdn, now_ms, most)]

    async def requests_by(self, customer_id: CustomerId, most: int = 10) -> list[MoneyRequest]:
        """What a customer asked for and what became of it; the newest first.

        Without a payer where that one was forgotten since.
        """
        now_ms = self._now_ms()
        return [
            msgspec.structs.replace(
                _seen(stored, now_ms),
                payer=None if stored.payer.startswith(TOMBSTONE) else stored.payer,
            )
            for stored in await self._store.by(customer_id, most)
        ]

    async def quote_request(self, payer: Customer, network: str, code: str) -> Quote:
        """The price of paying a request: of the smallest amount that lets at least as much arrive.

        What arrives may be a little more, by the units in which the two operators pay
        (`pricing.amount_for`). Raises what `Selling.quote` raises, and CustomerMistake
        `mistake.request_gone` when it is none of the payer's, over, or being paid.
        """
        request, state = await self._find(payer, code)
        if state is not _R.OPEN:
            raise CustomerMistake("mistake.request_gone")
        quote = await self._selling.quote_receiving(
            payer=payer,
            network=network,
            payee=request.requester_msisdn,
            wallet=request.requester_operator,
            receives=request.amount,
        )
        return msgspec.structs.replace(quote, request=request.code, request_try=request.tries)

    async def decline(self, payer: Customer, code: str) -> None:
        """Say no, for good; the requester is told once. A repeat is safe.

        Raises CustomerMistake `mistake.request_gone` when it is none of the payer's, when a payment
        for it is under way or has arrived, or when its time is over: that is what is told then.
        """
        for _ in range(TRIES_MAX):
            request, state = await self._find(payer, code)
            if state is _R.DECLINED:
                return
            if state is not _R.OPEN:
                raise CustomerMistake("mistake.request_gone")
            said_no = await self._answer("request_declined", request)
            if await self._store.close(request, _R.DECLINED, self._now_ms(), said_no):
                return
        raise OurFault(f"request {code} moved {TRIES_MAX} times under one answer")

    async def expire(self, now: datetime, most: int = 100) -> int:
        """Close what nobody paid in time, settle what was paid; returns with how many it was done.

        One with a payment under way is left until that has ended. Whoever asked was promised an
        answer: that it was not paid is told once, by whoever closes it.
        """
        now_ms = ms_of(now)
        requests = await self._store.over(now_ms, most)
        return await one_by_one(
            requests, lambda r: self._end(r, now_ms), named=lambda r: f"request {r.code}"
        )

    async def _end(self, request: Stored, now_ms: int) -> None:
        if request.state_at(now_ms) is _R.PAID:
            await self._store.settle(request, now_ms)
        else:
            unpaid = await self._answer("request_expired", request)
            await self._store.close(request, _R.EXPIRED, now_ms, unpaid)

    async def _check(self, requester: Customer, network: str, payer: Msisdn, amount: Money) -> str:
        """The operator of the requester's wallet, where that much can arrive in it."""
        wallet = await self._wallet(requester, network, payer)
        self._selling.check_asked(
            payer=payer, payee=requester.msisdn, wallet=wallet, receives=amount
        )
        return wallet

    async def _wallet(self, requester: Customer, network: str, payer: Msisdn) -> str:
        """The operator of the requester's wallet. No other payer helps where that is the matter."""
        if requester.msisdn == payer:
            raise CustomerMistake("mistake.own_number")
        wallet = self._directory.payer_operator(requester.msisdn, network)
        if wallet is None:
            raise NoWayNow("no_way.caller")
        if not self._directory.payouts_to(wallet):
            raise NoWayNow("no_way.receiving")
        name = (await self._selling.wallet_of(payer)).operator
        if name is None:
            raise CustomerMistake("mistake.operator_unknown")
        if name not in self._directory.by_name:
            raise CustomerMistake(
                "mistake.operator_unsupported", operator=TextKey(f"operator.{name}")
            )
        return wallet

    async def _enter(
        self, requester: Customer, wallet: str, payer: Msisdn, amount: Money, key: str
    ) -> Stored:
        now_ms, request_id = self._now_ms(), self._ids.hex()
        request = Stored(
            id=request_id,
            code=code_of(request_id),
            requester=requester.customer_id,
            requester_msisdn=requester.msisdn,
            requester_operator=wallet,
            payer=payer,
            amount=amount,
            expires_ms=now_ms + self._rules.open_seconds * 1000,
        )
        rules = self._rules
        day_ago = first_id_at(self._clock.now() - timedelta(days=1))
        just_now = first_id_at(self._clock.now() - timedelta(seconds=rules.again_seconds))
        message = await self._message(payer, "request", request, requester=requester.msisdn)
        entered = await self._store.put(
            request, key=key, message=message, now_ms=now_ms,
            bounds=Bounds(rules.unpaid_most, rules.recent_most, day_ago, just_now),
        )  # fmt: skip
        if entered is None:
            raise CustomerMistake("mistake.requests_full")
        return entered

    def _answer(self, template: str, request: Stored) -> Awaitable[Intended]:
        """What whoever asked is told of how it ended without being paid."""
        to, payer = request.requester_msisdn, request.payer
        return self._message(to, template, request, payer=payer)

    async def _message(
        self, to: Msisdn, template: str, request: Stored, **variables: str
    ) -> Intended:
        said: dict[str, Money | str] = {"code": request.code, "amount": request.amount, **variables}
        message = Message(to, await self._language_of(to), template, said)
        return Intended(self._ids.intent(), write_message(message), int(self._clock.epoch()))

    async def _find(self, payer: Customer, code: str) -> tuple[Stored, RequestState]:
        asked = read_code(code)
        request = await self._store.by_code(asked) if asked is not None else None
        if request is None or request.payer != payer.msisdn:
            raise CustomerMistake("mistake.request_gone")
        return request, request.state_at(self._now_ms())

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def _is_same(known: Stored, requester: Customer, payer: Msisdn, amount: Money) -> bool:
    return (known.requester, known.payer, known.amount) == (
        requester.customer_id, payer, amount,
    )  # fmt: skip


def _seen(stored: Stored, now_ms: int) -> MoneyRequest:
    return MoneyRequest(
        stored.code,
        stored.requester_msisdn,
        stored.amount,
        made_at(stored.id),
        stored.state_at(now_ms),
    )

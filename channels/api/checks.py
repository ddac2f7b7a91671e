"""Would this payment succeed now? Asked before anybody is charged; it promises nothing.

Operators' health, liquidity (the pool's, or what the client set aside) and limits are looked at;
where nothing stands in the way the payee's operator is asked for the wallet. Sanctions lists and
risk are not looked at: what they say is said to nobody who has not confirmed a payment.
"""

from collections.abc import Awaitable, Callable

import msgspec
from msgspec.structs import replace

from channels.api.endpoints import Call, Nothing
from channels.api.problems import Refusal
from channels.api.quotes import FindCustomer, PriceAsked, known_payer
from channels.api.reservations import to_draw_on, too_small
from channels.api.wire import read_amount, read_number
from engine.clients.clients import KeyHolder
from engine.customers.customers import Customer
from engine.errors import CustomerMistake, NoWayNow
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.holders import WalletFound
from engine.payments.outlook import End, Outlook
from engine.payments.reservations import Reservations
from engine.payments.selling import Selling
from engine.payments.views import LimitsLeft

LimitsOf = Callable[[Customer, str], Awaitable[LimitsLeft]]
AskWallet = Callable[[str, Msisdn], Awaitable[WalletFound]]
"""Operator and number; answers within two seconds and raises nothing."""


class EndShown(msgspec.Struct, frozen=True):
    """One end. `condition` is "well", "shaky" or "down"; `refusal` why it cannot serve this one."""

    operator: str
    condition: str
    success_ppm: int  # chance of this half, in millionths
    refusal: str | None


class CheckShown(msgspec.Struct, frozen=True):
    """What is to be expected. `reason` is "" or the first thing that stands in the way.

    The rest is null where nothing could be known, because something came before.
    """

    would_succeed: bool
    reason: str
    success_ppm: int | None = None
    has_liquidity: bool | None = None
    is_within_limits: bool | None = None
    payer: EndShown | None = None
    payees: list[EndShown] | None = None  # who can pay the payee, the best first
    # "found", "closed", "none" or "unknown", as the payee's operator says; null: it was not asked
    payee_wallet: str | None = None


class Checks:
    """The handler."""

    def __init__(
        self,
        *,
        selling: Selling,
        find: FindCustomer,
        limits_of: LimitsOf,
        wallet_found: AskWallet,
        reservations: Reservations,
    ) -> None:
        self._selling = selling
        self._wallet_found = wallet_found
        self._find = find
        self._limits_of = limits_of
        self._reservations = reservations

    async def check(self, call: Call[KeyHolder, Nothing, Nothing, PriceAsked]) -> CheckShown:
        """What stands in the way is an answer, not a problem; what cannot be read is one."""
        amount = read_amount(call.body.amount)
        try:
            payee = read_number(call.body.payee, "payee")
            payer = await known_payer(self._find, read_number(call.body.payer, "payer"))
            outlook = await self._selling.outlook(
                payer=payer, network=payer.network, payee=payee, amount=amount,
                from_pool=call.body.is_from_pool,
            )  # fmt: skip
            is_enough = outlook is None or await self._is_enough(call, outlook.holds)
            limit = await self._limit_in_the_way(payer, amount)
        except Refusal as refusal:
            return CheckShown(would_succeed=False, reason=refusal.reason or refusal.code.word)
        except (CustomerMistake, NoWayNow) as error:
            return CheckShown(would_succeed=False, reason=error.text_key.rpartition(".")[2])
        shown = _shown(outlook, limit)
        if shown.would_succeed and not is_enough:
            return replace(
                shown, would_succeed=False, reason=too_small().reason, success_ppm=0,
                has_liquidity=False,
            )  # fmt: skip
        return await self._with_wallet(shown, payee) if shown.would_succeed else shown

    async def _is_enough(
        self, call: Call[KeyHolder, Nothing, Nothing, PriceAsked], holds: Money
    ) -> bool:
        """Whether the reservation, if one is named, has that much left. Raises as `to_draw_on`."""
        reservation_id = call.body.reservation
        if reservation_id is msgspec.UNSET:
            return True
        client_id = call.caller.client_id
        found = await to_draw_on(self._reservations, client_id, reservation_id, holds.currency)
        return found.left.minor >= holds.minor

    async def _with_wallet(self, shown: CheckShown, payee: Msisdn) -> CheckShown:
        """What its operator says of the payee's wallet; unknown stands in nobody's way."""
        whose = await self._selling.wallet_of(payee)
        found = await self._wallet_found(whose.operator or "", payee)
        if found in (WalletFound.FOUND, WalletFound.UNKNOWN):
            return replace(shown, payee_wallet=found.value)
        return replace(
            shown, would_succeed=False, reason="payee_wallet", success_ppm=0,
            payee_wallet=found.value,
        )  # fmt: skip

    async def _limit_in_the_way(self, payer: Customer, amount: Money) -> str:
        left = await self._limits_of(payer, amount.currency)
        limits = (
            ("limit_payment", left.payment), ("limit_month", left.month_left),
            ("limit_day", left.day_left),
        )  # fmt: skip
        return next((name for name, most in limits if amount.minor > most.minor), "")


def _shown(outlook: Outlook | None, limit: str) -> CheckShown:
    if outlook is None:
        return CheckShown(would_succeed=not limit, reason=limit, is_within_limits=not limit)
    reason = limit or _obstacle(outlook)
    return CheckShown(
        would_succeed=not reason,
        reason=reason,
        success_ppm=0 if reason else outlook.success_ppm,
        has_liquidity=outlook.has_liquidity,
        is_within_limits=outlook.is_within_limits and not limit,
        payer=_end(outlook.payer) if outlook.payer is not None else None,
        payees=[_end(end) for end in outlook.payee],
    )


def _obstacle(outlook: Outlook) -> str:
    if outlook.would_be_taken:
        return ""
    if not outlook.has_liquidity:
        return "float"
    return "limit_operator" if not outlook.is_within_limits else "busy"


def _end(end: End) -> EndShown:
    return EndShown(end.operator, end.condition, end.success_ppm, end.refusal)

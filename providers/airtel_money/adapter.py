"""Asks Airtel Money in one country: collection, disbursement, refund, and how they went.

Facts: reference `airtel-money.md`. It stores nothing: our id at Airtel is the attempt's own.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from engine.clock import AttemptId, Clock, SystemRandom
from engine.errors import OutcomeUnknown, Rejected, Unreachable, Unreadable
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    Accepted,
    Callback,
    CallbackTrust,
    Direction,
    Finding,
    Order,
    Outcome,
    Reason,
)
from providers.airtel_money import balance
from providers.airtel_money.answers import ending_of, error_of, finding_of
from providers.airtel_money.api import Api
from providers.airtel_money.callbacks import KINDS, SHOWN, Callbacks, transaction_id
from providers.airtel_money.markets import Market
from providers.airtel_money.settings import AirtelMoneySettings, RefundBy
from providers.airtel_money.users import User, user_of
from providers.airtel_money.way import Way, read_way, way_of
from providers.http import Client, Trace, no_trace
from providers.wire import order_amount, word


class AirtelMoney:
    """One country of Airtel Money. See `engine.ports.OperatorPort`."""

    def __init__(
        self,
        market: Market,
        settings: AirtelMoneySettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
        random: Callable[[int], bytes] | None = None,
    ) -> None:
        """`random` gives so many random bytes, by default the operating system's.

        Raises ValueError when the address is none.
        """
        trust = CallbackTrust.SIGNED if settings.callback_key else CallbackTrust.UNSIGNED
        pays_refunds = settings.refund_by is RefundBy.DISBURSEMENT
        self.facts = msgspec.structs.replace(
            market.facts,
            callback=trust,
            refund_is_payout=pays_refunds,
            can_refund=market.facts.can_disburse or not pays_refunds,
            disburse_repeat_is_safe=settings.repeats_payouts,
            # What a second refund of Airtel's own does nobody knows.
            refund_repeat_is_safe=pays_refunds and settings.repeats_payouts,
            orders_by=str(way_of(settings)),
        )
        self._way = way_of(settings)
        self._market = market
        self._settings = settings
        self._client = Client(
            market.facts.name,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=settings.connections,
            per_second=settings.per_second,
            transport=transport,
            trace=trace,
            shown=SHOWN,
        )
        self._api = Api(
            market.facts, settings, self._client, clock=clock, random=random or SystemRandom()
        )
        self._callbacks = Callbacks(
            market.facts.name, key=settings.callback_key, over=settings.callback_hash
        )
        self._set_addresses()

    def _set_addresses(self) -> None:
        url, settings = self._client.url, self._settings
        asked = settings.enquiry_version
        refund = settings.collection_version  # the second is signed, as the collection's
        self._collection_url = url(f"/merchant/v{settings.collection_version}/payments/")
        # The first two end in a slash by the texts, the third does not (section 6).
        paths = {1: "v1/disbursements/", 2: "v2/disbursements/", 3: "v3/disbursements"}
        self._disbursement_urls = {version: url(f"/standard/{paths[version]}") for version in paths}
        self._refund_url = url(f"/standard/v{refund}/payments/refund")
        self._enquiry_url = url("/standard/v1/payments")
        self._disbursement_enquiry_url = url(f"/standard/v{asked}/disbursements")
        self._users_url = url("/standard/v1/users")
        accounts = balance.ACCOUNTS[settings.balance_version]
        self._balance_urls = {
            name: url(f"/standard/v{settings.balance_version}/users/balance{_query(wallet)}")
            for name, wallet in accounts.items()
        }
        self.balance_accounts = tuple(accounts)

    async def collect(self, order: Order) -> Accepted:
        """Send the prompt (section 5.1). A used id means that the first request was taken."""
        answer = await self._api.post(
            "collect",
            self._collection_url,
            self._collection_message(order),
            signed=self._settings.collection_version == 2,
        )
        if answer.is_accepted or answer.is_duplicate:
            return Accepted()  # a later enquiry needs our own id alone
        raise error_of(self.facts.name, answer, pays=False)

    async def disburse(self, order: Order) -> Accepted:
        """Pay out (section 6), usually over at once; a repeat is refused as a duplicate."""
        return await self._pay_out("disburse", order)

    async def refund(self, order: Order) -> Accepted:
        """Give a collection back, by a payout of its own or by Airtel's refund: a setting.

        The payout's repeat is safe. Airtel's refund is always the whole amount, and its lost
        answer cannot be asked for: that ends with people.
        """
        if self._way_of(order).refund_by is RefundBy.DISBURSEMENT:
            return await self._pay_out("refund", order)
        return await self._refund(order)

    async def query(self, order: Order) -> Finding:
        """The operator's answer at once, by our own id; NOT_FOUND when it has no such."""
        if order.direction is Direction.REFUND and self._is_airtels_refund(order):
            raise OutcomeUnknown(self.facts.name, "a refund cannot be asked about")
        collects = order.direction is Direction.COLLECT
        url = self._enquiry_url if collects else self._disbursement_enquiry_url
        return await self._enquire(url, transaction_id(order.attempt_id), pays=not collects)

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Kinds `callback` and `status`. Without headers, so a hash in one counts as missing."""
        return self._callbacks.read(kind, body, {})

    def read_fixed_callback(
        self, body: bytes, headers: Mapping[str, str]
    ) -> tuple[AttemptId, Callback]:
        """A callback on the one address of the portal, and whose it is (section 8)."""
        callback = self._callbacks.read(KINDS[0], body, headers)
        return self._callbacks.attempt_of(body), callback

    async def ask_balance(self, account: str, callback_url: str) -> Money:
        """What one wallet of ours holds (section 7), told at once."""
        del callback_url
        answer = await self._api.get("balance", self._balance_urls[account])
        return balance.balance_of(self.facts, answer, self._settings.currency_word)

    def read_balance(self, body: bytes) -> Money | None:
        """No balance ever comes later."""
        raise Unreadable(self.facts.name, f"{len(body)} bytes about a balance nobody awaits")

    async def find_user(self, msisdn: Msisdn) -> User | None:
        """Who holds the wallet (section 7); None when Airtel has none of that number."""
        below = f"/{self._national(msisdn)}"
        return user_of(self.facts.name, await self._api.get("user", self._users_url, below=below))

    async def name_of(self, msisdn: Msisdn) -> str | None:
        user = await self.find_user(msisdn)
        return (user.name or None) if user else None

    def may_repeat(self, direction: Direction, by: str) -> bool:
        """By the application that knows the id, and by a version of which it is said (section 6).

        `repeats_payouts` speaks of the version that is set; of another one what the texts say.
        """
        try:
            way = read_way(self.facts.name, by)
        except Rejected:
            return False
        is_refund = direction is Direction.REFUND and way.refund_by is RefundBy.REFUND
        if direction is Direction.COLLECT or is_refund or way.application != self._way.application:
            return False
        is_said = way.disbursement_version in (self._way.disbursement_version, 1, 2)
        return is_said and self._settings.repeats_payouts

    def refunds_by_payout(self, by: str) -> bool:
        try:
            return read_way(self.facts.name, by).refund_by is RefundBy.DISBURSEMENT
        except Rejected:
            return self.facts.refund_is_payout

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """Our transaction id."""
        return (transaction_id(attempt_id),)

    async def aclose(self) -> None:
        await self._api.aclose()
        await self._client.aclose()

    def _collection_message(self, order: Order) -> dict[str, Any]:
        country = self.facts.country
        currency = self._currency
        return {
            "reference": order.code,
            "subscriber": {
                "country": country,
                "currency": currency,
                "msisdn": self._national(order.msisdn),
            },
            "transaction": {
                "amount": self._amount(order),
                "country": country,
                "currency": currency,
                "id": transaction_id(order.attempt_id),
            },
        }

    def _disbursement_message(self, order: Order, version: int) -> dict[str, Any]:
        payee: dict[str, Any] = {"msisdn": self._national(order.msisdn)}
        transaction: dict[str, Any] = {
            "amount": self._amount(order),
            "id": transaction_id(order.attempt_id),
        }
        if version == 2:
            payee["currency"] = self._currency
        if version == 3:
            payee["wallet_type"] = self._settings.wallet_type
        if version != 1:
            transaction["type"] = "B2C"
        return {"payee": payee, "reference": order.code, "transaction": transaction}

    async def _pay_out(self, operation: str, order: Order) -> Accepted:
        version = self._sent_by(order).disbursement_version
        answer = await self._api.post(
            operation,
            self._disbursement_urls[version],
            self._disbursement_message(order, version),
            signed=version != 1 and self._settings.signs_disbursements,
            with_pin=True,
        )
        if answer.is_duplicate:
            return Accepted()
        if (finding := ending_of(answer)) is not None:
            return Accepted(finding=finding)
        if answer.is_accepted:
            return Accepted()
        raise error_of(self.facts.name, answer, pays=True)

    async def _refund(self, order: Order) -> Accepted:
        """Section 5.3 wants Airtel's own id of the collection, which an enquiry tells."""
        self._sent_by(order)
        if order.collected_attempt_id is None:
            raise self._no_collection("a refund that names no collection")
        found = await self._ask_before(transaction_id(order.collected_attempt_id))
        if found.receipt is None:  # it comes with success alone
            raise self._no_collection("there is no such collection to give back")
        answer = await self._api.post(
            "refund",
            self._refund_url,
            {"transaction": {"airtel_money_id": found.receipt}},
            signed=self._settings.collection_version == 2,
        )
        receipt = word(answer.transaction.get("airtel_money_id"))
        if not answer.is_done or not receipt:
            raise error_of(self.facts.name, answer, pays=True)
        done = Finding(Outcome.SUCCEEDED, code="refunded", receipt=receipt)
        return Accepted(finding=done)

    async def _ask_before(self, collected_id: str) -> Finding:
        """Ask about the collection before its refund is sent: a lost answer sends nothing."""
        try:
            return await self._enquire(self._enquiry_url, collected_id, pays=False)
        except OutcomeUnknown as error:
            raise Unreachable(
                self.facts.name, "the collection is not known, so nothing was sent", code=error.code
            ) from error

    async def _enquire(self, url: httpx.URL, asked_id: str, *, pays: bool) -> Finding:
        try:
            answer = await self._api.get("enquire", url, below=f"/{asked_id}")
        except Rejected as error:
            # A refused question is no evidence about the money.
            raise OutcomeUnknown(
                self.facts.name, "the query brought no evidence", code=error.code
            ) from error
        return finding_of(self.facts.name, answer, asked_id, pays=pays)

    def _way_of(self, order: Order) -> Way:
        """How it began: a setting changes what begins from then on. Raises Rejected."""
        return read_way(self.facts.name, order.by) if order.by else self._way

    def _sent_by(self, order: Order) -> Way:
        """The same, to send it: to another application its id would be a new one."""
        way = self._way_of(order)
        if way.application != self._way.application:
            raise Rejected(
                self.facts.name,
                "it began at an application that is no longer set",
                code="application",
                reason=Reason.CONFIGURATION,
            )
        return way

    def _is_airtels_refund(self, order: Order) -> bool:
        try:
            return self._way_of(order).refund_by is RefundBy.REFUND
        except Rejected as error:
            raise OutcomeUnknown(self.facts.name, "no such way", code=error.code) from error

    def _amount(self, order: Order) -> int | Decimal:
        """A whole number wherever it is one, as all samples have it."""
        amount = order_amount(self.facts, order)
        return int(amount) if amount == int(amount) else amount

    @property
    def _currency(self) -> str:
        return self._settings.currency_word or self.facts.currency

    def _national(self, msisdn: Msisdn) -> str:
        """Without the country's code, as Airtel has it. Raises Rejected for another country's."""
        code = self._market.dialling_code
        if not msisdn.digits.startswith(code):
            raise Rejected(
                self.facts.name,
                f"{msisdn.masked} is no number of {self.facts.country}",
                code="msisdn",
                reason=Reason.NOT_REGISTERED,
            )
        national = msisdn.digits.removeprefix(code)
        return national if self._settings.keeps_zero else national.removeprefix("0")

    def _no_collection(self, detail: str) -> Rejected:
        return Rejected(self.facts.name, detail, code="no_collection", reason=Reason.CONFIGURATION)


def _query(wallet: str) -> str:
    return f"?type={wallet}" if wallet else ""

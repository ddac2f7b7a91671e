"""What a message is answered with: a keyword is carried out, anything else goes to the journey.

A PIN has no place here: none is asked for, none is compared, and one that comes all the same is
not kept. A payment confirmed by SMS is approved at the operator's own prompt, so who gets none must
dial.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from engine.clock import Clock
from engine.customers.customers import Customer
from engine.errors import CustomerMistake, NoWayNow, TextKey
from engine.fx.quotes import Quote
from engine.inbox.keywords import (
    Command,
    Verb,
    Vocabulary,
    has_foreign_digits,
    plainly,
    read_order,
)
from engine.inbox.memory import AGREED_SECONDS, Memory
from engine.inbox.rooms import Customers, Journeys, Names, OptOuts, Payments
from engine.messages.planning import Writer
from engine.msisdn import Msisdn, country_of
from engine.payments.views import PaymentSummary
from engine.ports import Turn
from engine.session.names import ANSWER_SECONDS, NAME_SECONDS, shown_holder
from engine.session.readers import read_code
from engine.session.variables import state_of
from engine.texts import Texts

NETWORK = "sms"
"""The profile in `menus/networks.yaml` that journeys by SMS are laid out for."""


_WAITS_FOR_APPROVAL = {"reserved", "collecting"}


class Asked(NamedTuple):
    """One message. `key` is the same whenever the same message is carried out again."""

    msisdn: Msisdn
    text: str
    key: str


class Answers:
    """Carries messages out. Every one may be repeated under its key."""

    def __init__(
        self,
        *,
        texts: Texts,
        customers: Customers,
        payments: Payments,
        journeys: Journeys,
        opt_outs: OptOuts,
        memory: Memory,
        names: Names,
        clock: Clock,
        shortcode: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`shortcode` is what people are told to dial; `names` is asked whose wallet is paid."""
        self._texts = texts
        self._writer = Writer(texts)
        self._vocabulary = Vocabulary(texts)
        self._customers = customers
        self._payments = payments
        self._journeys = journeys
        self._opt_outs = opt_outs
        self._memory = memory
        self._names = names
        self._monotonic = monotonic
        self._clock = clock
        self._shortcode = shortcode
        self._verbs: Mapping[Verb, Callable[[Asked, Command, Customer], Awaitable[str | None]]] = {
            Verb.SEND: self._send,
            Verb.YES: self._yes,
            Verb.NO: self._no,
            Verb.LIMITS: self._limits,
            Verb.STATUS: self._status,
            Verb.LANGUAGE: self._language,
            Verb.MENU: self._menu,
        }

    async def answer(self, asked: Asked) -> str | None:
        """The text to send back; None when silence is the answer."""
        customer = await self._customers.find(asked.msisdn)
        language = self._language_of(customer, asked.msisdn)
        command = self._vocabulary.read(asked.text, language)
        if self._vocabulary.looks_like_pin(asked.text) and not await self._may_be_pressed(asked):
            return self._say(language, "sms.in_pin", shortcode=self._shortcode)
        if command is not None and customer is None:
            language = command.language
        if command is not None and command.verb in (Verb.STOP, Verb.START):
            return await self._quiet(asked, command, language)
        if customer is None:
            return self._say(language, "sms.in_unknown", shortcode=self._shortcode)
        try:
            return await self._carry_out(asked, command, customer)
        except (CustomerMistake, NoWayNow) as refusal:
            told = {"shortcode": self._shortcode, **refusal.variables}
            return self._say(language, refusal.text_key, **told)

    async def _carry_out(
        self, asked: Asked, command: Command | None, customer: Customer
    ) -> str | None:
        if has_foreign_digits(asked.text):
            return self._say(customer.language, "sms.in_digits")
        if command is not None and (verb := self._verbs.get(command.verb)) is not None:
            return await verb(asked, command, customer)
        session_id = await self._journey_of(asked)
        if command is not None or session_id is None:
            return self._say(customer.language, "sms.in_help", shortcode=self._shortcode)
        return await self._press(asked, session_id, asked.text.strip())

    def _language_of(self, customer: Customer | None, msisdn: Msisdn) -> str:
        """Their own, or what a caller of their country reads before choosing."""
        if customer is not None:
            return customer.language
        return self._texts.default_of(country_of(msisdn) or "")

    async def _may_be_pressed(self, asked: Asked) -> bool:
        """Four digits alone are an amount where a journey asks for one: it asks for no PIN."""
        digits_alone = not any(c.isalpha() for c in asked.text)
        return digits_alone and await self._journey_of(asked) is not None

    async def _journey_of(self, asked: Asked) -> str | None:
        """The session that a message belongs to: where it was pressed before, or the open one.

        None for none, also where one was opened since the message came first.
        """
        before = await self._memory.pressed(asked.msisdn, asked.key)
        if before is not None:
            return before or None
        found = await self._memory.journey(asked.msisdn)
        if found is None:
            await self._memory.keep_pressed(asked.msisdn, asked.key, "")
        return found

    async def _quiet(self, asked: Asked, command: Command, language: str) -> str | None:
        """Answered when something changed, and else not at all."""
        if command.verb is Verb.STOP:
            if await self._opt_outs.stop(asked.msisdn):
                return self._say(language, "sms.in_stopped")
        elif await self._opt_outs.start(asked.msisdn):
            return self._say(language, "sms.in_started")
        return None

    async def _send(self, asked: Asked, command: Command, customer: Customer) -> str | None:
        """A price to agree to. None for an order that comes again behind another: YES is about the
        last one that was written.
        """
        if await self._memory.is_overtaken(asked.msisdn, asked.key):
            return None
        payee, amount = read_order(command.rest, customer.country, self._currency_of(customer))
        quote = await self._payments.quote(payer=customer, network="", payee=payee, amount=amount)
        self._payments.must_be_prompted(quote.payer_operator)
        seconds = quote.expires_at - int(self._clock.epoch())
        await self._memory.keep_quote(asked.msisdn, quote, seconds)
        due = self._monotonic() + NAME_SECONDS + ANSWER_SECONDS
        told = await self._names.of(quote.payee_operator, quote.payee, due)
        if told:
            await self._memory.keep_told(asked.msisdn, quote, told, seconds)
        holder = shown_holder(told)
        return self._say(
            customer.language,
            "sms.in_quote_fee_kept" if quote.keeps_fee else "sms.in_quote",
            payee_named=f"{holder} {quote.payee}".strip(),
            receives=quote.receives,
            fee=quote.fee,
            total=quote.total,
        )

    async def _shown(self, asked: Asked) -> Quote | None:
        """The phone's price; None for a message that came before and was about none."""
        if await self._memory.pressed(asked.msisdn, asked.key) is not None:
            return None
        return await self._memory.quote(asked.msisdn)

    async def _yes(self, asked: Asked, _: Command, customer: Customer) -> str:
        """The key is the price's own: however often and late YES comes, it is one payment."""
        quote = await self._memory.meant(asked.msisdn, asked.key)
        if quote is None:
            quote = await self._shown(asked)
            if quote is None:
                return await self._press_or_nothing(asked, customer)
            if self._clock.epoch() < quote.expires_at:
                await self._memory.keep_agreed(asked.msisdn, asked.key, quote)
            else:
                await self._memory.keep_meant(asked.msisdn, asked.key, quote)
        told = await self._memory.told(asked.msisdn, quote)
        try:
            confirmed = await self._payments.confirm(
                payer=customer, quote=quote, key=_key_of(quote), told=told
            )
        except (CustomerMistake, NoWayNow) as refusal:
            # The price is over, or a NO has given it up.
            if refusal.text_key not in ("mistake.quote_expired", "session.over"):
                raise
            return await self._press_or_nothing(asked, customer)
        if not confirmed.fresh:
            found = await self._payments.payment_by_code(customer, confirmed.code)
            if found is not None and found.state not in _WAITS_FOR_APPROVAL:
                return self._tell(found, customer)
        return self._say(
            customer.language,
            "sms.in_confirmed_by_link" if confirmed.by_link else "sms.in_confirmed",
            code=confirmed.code,
            total=quote.total,
            payer_operator=TextKey(f"operator.{quote.payer_operator}"),
        )

    async def _no(self, asked: Asked, _: Command, customer: Customer) -> str | None:
        """Behind a YES it is the payment that is cancelled, if that can still be done; of a price
        that no payment was made at, none is made any more, also by a YES that is under way.

        One that comes again is about the price it was about, whatever was agreed to since.
        """
        newest = await self._memory.quote(asked.msisdn)
        meant = await self._memory.meant(asked.msisdn, asked.key)
        quote = meant or await self._shown(asked)
        if quote is None:
            return await self._press_or_nothing(asked, customer)
        await self._memory.keep_meant(asked.msisdn, asked.key, quote)
        if (code := await self._payments.give_up([_key_of(quote)])) is not None:
            return await self._cancel(asked, customer, code, again=meant is not None)
        if newest is not None and newest.quote_id == quote.quote_id:
            await self._memory.forget_quote(asked.msisdn)
        if self._clock.epoch() >= quote.expires_at:  # a YES came, and was refused
            return await self._press_or_nothing(asked, customer)
        return self._say(customer.language, "sms.in_cancelled")

    async def _cancel(
        self, asked: Asked, customer: Customer, code: str, *, again: bool
    ) -> str | None:
        """The price is kept: whoever says NO again is told the same.

        None where this NO cancels it, or did when it came before (`again`): the commit that does so
        tells the payer in the same words.
        "Too late" is said of what the operator is asking; what is over is told as it is.
        """
        before = await self._payments.payment_by_code(customer, code)
        try:
            after = await self._payments.cancel(customer, code, key=f"sms:{asked.key}")
        except NoWayNow as refusal:
            found = await self._payments.payment_by_code(customer, code)
            if refusal.text_key != "no_way.sent" or found is None:
                raise
            after = found
        if after.state == "cancelled":
            if again or (before is not None and before.state != "cancelled"):
                return None
            return self._say(customer.language, "sms.cancelled", code=code)
        if after.state in {*_WAITS_FOR_APPROVAL, "collect_unknown"}:
            raise NoWayNow("no_way.sent")
        return self._tell(after, customer)

    async def _press_or_nothing(self, asked: Asked, customer: Customer) -> str:
        """Where no price waits, the word belongs to the journey, if there is one.

        Else it may be one that comes again, and Redis forgot to what: the payment that it made is
        told, and told as what it is, because it may be another's as well.
        """
        session_id = await self._journey_of(asked)
        if session_id is not None:
            return await self._press(asked, session_id, asked.text.strip())
        since = self._clock.now() - timedelta(seconds=AGREED_SECONDS)
        last = await self._payments.confirmed_since(customer.customer_id, since)
        if last is None:
            return self._say(customer.language, "sms.in_nothing")
        return self._tell(last, customer, "sms.in_nothing_now")

    async def _limits(self, _: Asked, __: Command, customer: Customer) -> str:
        left = await self._payments.limits_of(customer, self._currency_of(customer))
        remaining = min(left.day_left, left.month_left, key=lambda money: money.minor)
        at_once = min(left.payment, remaining, key=lambda money: money.minor)
        return self._say(customer.language, "sms.in_limits", remaining=remaining, maximum=at_once)

    def _currency_of(self, customer: Customer) -> str:
        """Raises NoWayNow `no_way.caller` for a country that nobody pays from."""
        currency = self._payments.payer_currency(customer.msisdn, "")
        if currency is None:
            raise NoWayNow("no_way.caller")
        return currency

    async def _status(self, _: Asked, command: Command, customer: Customer) -> str:
        if not command.rest:
            newest = await self._payments.recent_payments(customer.customer_id, customer.msisdn, 1)
            if newest:
                return self._tell(newest[0], customer)
            return self._say(customer.language, "payments.none")  # and not: send STATUS
        code = read_code(" ".join(command.rest))
        found = await self._payments.payment_by_code(customer, code)
        if found is None:
            return self._say(customer.language, "sms.in_status_none")
        return self._tell(found, customer)

    def _tell(self, found: PaymentSummary, customer: Customer, key: str = "sms.in_status") -> str:
        key = "sms.in_status_incoming" if found.incoming else key
        return self._say(
            customer.language,
            key,
            country=customer.country,
            code=found.code,
            time=found.at,
            amount=found.amount,
            fee=found.fee,
            receives=found.receives,
            payer=found.payer,
            payee=found.payee,
            state=state_of(found),
        )

    async def _language(self, _: Asked, command: Command, customer: Customer) -> str:
        wanted = self._language_called(" ".join(command.rest))
        if wanted is None:
            known = ", ".join(self._texts.languages)
            return self._say(customer.language, "sms.in_languages", languages=known)
        await self._customers.set_language(customer.customer_id, wanted)
        return self._say(wanted, "sms.in_language")

    def _language_called(self, word: str) -> str | None:
        """By its code or by its own name."""
        for language in self._texts.languages:
            if word in (plainly(language), plainly(self._texts.names[language])):
                return language
        return None

    async def _menu(self, asked: Asked, command: Command, _: Customer) -> str:
        """The session's id is made from the message, so the same message opens no second one."""
        return await self._press(asked, f"sms:{asked.key}", "*".join(command.rest), opens=True)

    async def _press(self, asked: Asked, session_id: str, text: str, *, opens: bool = False) -> str:
        turn = Turn(
            session_id=session_id,
            msisdn=asked.msisdn,
            network=NETWORK,
            shortcode=self._shortcode,
            text=text,
            cumulative=False,
            opens=opens,
            sequence=asked.key,
        )
        await self._memory.keep_pressed(asked.msisdn, asked.key, session_id)
        reply = await self._journeys.take(turn)
        if reply.ends:
            if await self._memory.journey(asked.msisdn) == session_id:
                await self._memory.forget_journey(asked.msisdn)
        else:
            await self._memory.keep_journey(asked.msisdn, session_id)
        return reply.text

    def _say(self, language: str, key: str, *, country: str | None = None, **variables: Any) -> str:
        return self._writer.write(language, key, variables, country=country).text


def _key_of(quote: Quote) -> str:
    """What the one payment at this price is made under."""
    return f"sms:{quote.quote_id}"

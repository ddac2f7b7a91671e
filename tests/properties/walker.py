"""Callers who walk all journeys at random, through gateways that double, drop and reorder turns.

A caller mostly presses what the screen offers, sometimes what it does not, sometimes garbage. What
must hold whatever they do is checked after every turn; the model knows only what a person could.
"""

import re
from random import Random
from typing import Any

import msgspec

from engine.menu.networks import Network
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import MoneyRequest
from engine.ports import EndReason, Reply, SessionEnd
from engine.septets import fits
from tests.unit.session.rooms import NETWORKS, PIN, SHORTCODE, TEXTS, House

GARBAGE = ("", " ", "*", "**", "#", "1*1", "-1", "1e9", "٥", "€", "\x00", "\ud800", "9" * 200)
OTHERS = ("256772000002", "256772000003", "254712000077", "0712000088", "0772000099")
AMOUNTS = ("500", "1,000", "12.50", "7", "900000")
CHOICE = re.compile(r"^([0-9]{1,2})\. ", re.MULTILINE)
SORRY = frozenset(
    TEXTS.render(language, key)
    for language in TEXTS.languages
    for key in ("session.sorry", "no_way.fault")
)
AGAIN = 0.15
"""How often a gateway delivers a turn twice."""


def asks_pin(text: str) -> bool:
    """In Latin letters, or in Ethiopic ones."""
    return "PIN" in text or "ፒን" in text


class Session:
    """One dialogue as the phone sees it."""

    def __init__(self, id_: str, *, cumulative: bool) -> None:
        self.id = id_
        self.cumulative = cumulative
        self.typed: list[str] = []
        self.reply = Reply("", ends=False)
        self.count = 0

    @property
    def text(self) -> str:
        return "*".join(self.typed)


class Walker:
    """One caller with a phone, a network and a secret name nobody else may ever be shown."""

    def __init__(
        self, house: House, chance: Random, msisdn: Msisdn, network: str, secret: str
    ) -> None:
        self.house = house
        self.chance = chance
        self.msisdn = msisdn
        self.network = network
        self.secret = secret
        self.pin = PIN
        self.pins_typed = 0
        self.sessions = 0
        self.session = self._dialled()
        self.ever: list[tuple[Session, str]] = []

    @property
    def profile(self) -> Network:
        return NETWORKS.of(self.network)

    async def turn(self) -> None:
        """One thing that happens to this phone."""
        luck = self.chance.random()
        if self.session.reply.ends or luck < 0.05:
            self.session = self._dialled()  # the radio dropped it, or it is over
            await self._send("")
        elif luck < 0.08 and self.ever:
            await self._send_old()
        elif luck < 0.10 and self.session.count:
            await self._end()
        else:
            await self._send(self._key())
        if luck > 1 - AGAIN and self.session.count:
            await self._repeat()

    def _dialled(self) -> Session:
        self.sessions += 1
        cumulative = self.profile.channel == "ussd" and self.chance.random() < 0.7
        return Session(f"{self.secret}{self.sessions}", cumulative=cumulative)

    def _key(self) -> str:
        offered = [found[1] for found in CHOICE.finditer(self.session.reply.text)]
        text = self.session.reply.text
        luck = self.chance.random()
        if luck < 0.08:
            return self.chance.choice(GARBAGE)
        if luck < 0.16:
            return self.chance.choice(["0", "00", "98", "9", "1"])
        if asks_pin(text) and not offered:
            self.pins_typed += 1
            return self.chance.choice([self.pin, self.pin, self.pin, "7391", "9026", "12"])
        if "98 " in text and luck < 0.5:
            return "98"
        if offered and luck < 0.9:
            return self.chance.choice(offered)
        return self.chance.choice([*OTHERS, *AMOUNTS, self.secret, "CAPP000001"])

    async def _send(self, key: str) -> None:
        session = self.session
        if session.count:
            session.typed.append(key)
        session.count += 1
        paid = len(self.house.payments.confirmed)
        session.reply = await self._take(session, session.text, session.count)
        self.ever.append((session, session.text))
        assert len(self.house.payments.confirmed) <= paid + 1

    async def _repeat(self) -> None:
        """The gateway did not hear the answer: the same turn again, the same bytes."""
        paid, failures = len(self.house.payments.confirmed), dict(self.house.customers.failures)
        again = await self._take(self.session, self.session.text, self.session.count)
        assert again == self.session.reply
        assert len(self.house.payments.confirmed) == paid
        assert self.house.customers.failures == failures

    async def _send_old(self) -> None:
        """A turn that was overtaken on its way, of this session or of one long over."""
        session, text = self.chance.choice(self.ever)
        if not session.cumulative:
            return  # nothing tells such a one from a new press
        paid = len(self.house.payments.confirmed)
        reply = await self._take(session, text, session.count)
        if session is self.session:
            assert reply == self.session.reply
        assert len(self.house.payments.confirmed) == paid

    async def _end(self) -> None:
        reason = self.chance.choice([EndReason.TIMED_OUT, EndReason.CANCELLED])
        end = SessionEnd(self.session.id, "told", reason, self.msisdn, self.network)
        await self.house.turns.note_end(end)
        await self._send("1")
        assert self.session.reply.ends

    async def _take(self, session: Session, text: str, count: int) -> Reply:
        fields: dict[str, Any] = {"msisdn": self.msisdn, "network": self.network}
        if not session.cumulative:
            opens = count == 1
            text = "" if opens else session.typed[-1]
            shortcode = SHORTCODE if opens and self.profile.channel == "ussd" else ""
            fields |= {"cumulative": False, "opens": opens, "sequence": str(count)}
            fields["shortcode"] = shortcode
        reply = await self.house.take(text, session.id, **fields)
        self._check(reply)
        return reply

    def _check(self, reply: Reply) -> None:
        assert reply.text, "an empty screen"
        assert reply.text not in SORRY, "an apology is our fault"
        assert fits(reply.text, self.profile.budget_septets), reply.text
        assert reply.ends or self._leads_on(reply.text), f"a dead end: {reply.text}"

    def _leads_on(self, text: str) -> bool:
        """Something to choose, a way back, or the very first questions, which have neither."""
        last = text.rsplit("\n", 1)[-1]
        return bool(CHOICE.search(text)) or last.startswith(("0", "98")) or asks_pin(text)


class World:
    """Phones of two countries on one house, and the money they ask each other for."""

    def __init__(self, house: House, chance: Random) -> None:
        self.house = house
        self.chance = chance
        if chance.random() < 0.6:
            house.payments.by_link.add("mtn_ug")
        elif chance.random() < 0.5:
            house.payments.unprompted |= {"mtn_ug", "mpesa_ke"}
        house.payments.wallets = {"KE": ["mpesa_ke", "airtel_ke"], "UG": ["mtn_ug", "airtel_ug"]}
        # Names that no text and no other caller uses.
        self.walkers = [
            Walker(house, chance, Msisdn("+254712000001"), "63902", "Zawadixa"),
            Walker(house, chance, Msisdn("+256772000002"), "64110", "Okellovu"),
            Walker(house, chance, Msisdn("+254733000003"), "63903", "Wanjikuq"),
            Walker(house, chance, Msisdn("+254712000004"), "sms", "Mumbuazy"),
        ]

    async def prepared(self) -> "World":
        """Everybody but the first is a customer, in some language."""
        for walker in self.walkers[1:]:
            language = self.chance.choice(TEXTS.languages)
            country = "UG" if walker.msisdn.startswith("+256") else "KE"
            customer = await self.house.customers.register(
                walker.msisdn, country, language, walker.pin
            )
            await self.house.customers.save_recipient(
                customer.customer_id, Msisdn("+256772000055"), walker.secret
            )
        return self

    async def turn(self) -> None:
        """One phone's turn, or something that happens meanwhile."""
        walker = self.chance.choice(self.walkers)
        await walker.turn()
        for other in self.walkers:
            if other is not walker:
                assert other.secret not in walker.session.reply.text
        self.house.clock.seconds += self.chance.choice([0, 1, 5, 20, 130])
        if self.chance.random() < 0.06:
            self._ask()
        if self.chance.random() < 0.04 and self.house.payments.requests:
            del self.house.payments.requests[self.chance.choice([*self.house.payments.requests])]
        if self.chance.random() < 0.02:
            self._settle()
        if self.chance.random() < 0.02:
            await self._allow_reset()

    def _ask(self) -> None:
        asker, asked = self.chance.sample(self.walkers, 2)
        currency = "UGX" if asker.msisdn.startswith("+256") else "KES"
        if asker.msisdn[:4] == asked.msisdn[:4]:
            return
        code = f"ASK{self.chance.randrange(10**7):07d}"
        request = MoneyRequest(
            code, asker.msisdn, Money(300_000, currency), self.house.clock.now(), code
        )
        self.house.payments.requests[code] = (asked.msisdn, request)

    def _settle(self) -> None:
        histories = self.house.payments.histories
        for customer_id, history in list(histories.items()):
            if history and not history[0].incoming:
                payer = next(
                    known.msisdn for known in self.house.customers.known.values()
                    if known.customer_id == customer_id
                )  # fmt: skip
                state = self.chance.choice(["paid", "refunded", "expired", "collect_failed"])
                self.house.payments.turn_out(customer_id, state)
                payee = self.house.customers.known.get(history[0].payee)
                if payee is not None and state == "paid":
                    received = msgspec.structs.replace(history[0], incoming=True, payer=payer)
                    theirs = histories.setdefault(payee.customer_id, [])
                    if received not in theirs:
                        theirs.insert(0, received)

    def check(self) -> None:
        """Nobody paid without typing a PIN, except by SMS, where the operator asks for it."""
        for walker in self.walkers:
            customer = self.house.customers.known.get(walker.msisdn)
            if customer is not None and walker.profile.asks_secrets:
                history = self.house.payments.histories.get(customer.customer_id, [])
                paid = sum(not summary.incoming for summary in history)
                assert paid <= walker.pins_typed

    async def _allow_reset(self) -> None:
        for customer in list(self.house.customers.known.values()):
            if customer.customer_id in self.house.customers.resets:
                self.house.customers.allow_reset(customer.msisdn)
                self.house.customers.resets.discard(customer.customer_id)

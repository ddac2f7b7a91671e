"""One installation's compliance on a real Postgres, beside a clock that the test moves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from engine.clock import Ids
from engine.compliance.clearance import Clearance
from engine.compliance.compliance import Compliance, Payer
from engine.compliance.history import HistoryStore, Question
from engine.compliance.lists.listed import Source
from engine.compliance.lists.store import ListStore
from engine.compliance.policy import read_policy
from engine.compliance.profiles import Profiles
from engine.compliance.risk import History
from engine.compliance.screening import Screener
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.decisions import Decision
from engine.money import Money
from engine.msisdn import Msisdn
from tests.unit.compliance.lists_of_nobody import sdn, un
from tests.unit.session.rooms import FakeClock

POLICY = read_policy()
JANE, JUMA, STRANGER = (Msisdn(f"+25471200000{n}") for n in (1, 2, 3))
NAKATO = Msisdn("+256772000002")
LISTED = "Mohamed Kasem Al-Zubaidi"
BORN = date(1954, 10, 7)


@dataclass
class House:
    """One installation's compliance, with a clock that the test moves."""

    pool: Any
    clock: FakeClock
    tenant: int = 1
    noted: list[Decision] = field(default_factory=list)
    required: bool = False

    def __post_init__(self) -> None:
        self.ids = Ids(self.clock)
        self.lists = ListStore(self.pool, self.tenant, smaller_percent_min=80)
        expected = tuple(Source) if self.required else ()
        self.screener = Screener(self.lists, POLICY.screening, self.clock, expected=expected)
        self.history = HistoryStore(self.pool, self.tenant)
        self.profiles = Profiles(self.pool, self.tenant)
        self.compliance = Compliance(
            policy=POLICY, screener=self.screener, history=self.history, profiles=self.profiles,
            is_screening_required=self.required, note=self.noted.append,
        )  # fmt: skip

    async def load(self) -> None:
        await self.lists.load(sdn(), int(self.clock.epoch() * 1000))
        await self.lists.load(un(), int(self.clock.epoch() * 1000))
        await self.screener.refresh()

    async def register(self, msisdn: Msisdn, **described: Any) -> None:
        customers = Customers(self.pool, self.tenant, PinKeys({1: b"k" * 32}), self.ids, self.clock)
        await customers.register(msisdn, "KE", "en", "4826")
        await self.profiles.describe(msisdn, **described)

    def question(
        self,
        shillings: int = 1_234,
        *,
        payer: Msisdn = JANE,
        payee: Msisdn = NAKATO,
        ago_seconds: float = 0,
        receives: Money | None = None,
    ) -> Question:
        return Question(
            self.ids.hex(),
            self.clock.now() - timedelta(seconds=ago_seconds),
            payer,
            payee,
            Money(shillings * 100, "KES"),
            receives or Money(shillings * 28, "UGX"),
        )

    async def check(
        self, question: Question, tier: int = 0, told: str = "", expected: str = ""
    ) -> Any:
        payer = Payer(question.payer, "KE", tier)
        return await self.compliance.check(payer, question, told, expected=expected)

    async def recheck(
        self, earlier: Decision | None, question: Question, tells: Callable[[str], str | None]
    ) -> Clearance | None:
        """Before a payout, where every operator that is asked for somebody's name `tells` it."""
        told = {who: tells(who) for who in await self.compliance.unnamed(earlier)}
        return await self.compliance.recheck(earlier, question, told)

    async def history_of(self, question: Question) -> History:
        dossier = await self.history.look(question, near_minor=1_700_000, watched=True)
        assert dossier.history is not None
        return dossier.history

    async def traces(self) -> int:
        count: int = await self.pool.fetchval("select count(*) from clearance")
        return count

"""Compliance beside a world of payments: lists, customers and SIMs as a test has them."""

from engine.clock import Ids, PaymentId
from engine.compliance.compliance import Compliance
from engine.compliance.history import HistoryStore
from engine.compliance.lists.listed import Source
from engine.compliance.lists.store import ListStore
from engine.compliance.policy import Policy, read_policy
from engine.compliance.profiles import Profiles
from engine.compliance.screening import Screener
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.msisdn import Msisdn
from engine.payments.clearing import Clearing
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.sims import Sims
from tests.integration.world import CUSTOMER, SUCCEEDED, World
from tests.unit.compliance.lists_of_nobody import sdn
from tests.unit.payments.examples import PAYEE

POLICY = read_policy()
LISTED = "Mohamed Kasem Al-Zubaidi"
BY_TWO = Ruling("looked into", by=("amina", "brian"), proposal="p1")


class Office:
    """Compliance beside a world of payments."""

    def __init__(
        self,
        world: World,
        *,
        sims: Sims | None = None,
        policy: Policy = POLICY,
        required: tuple[Source, ...] = (),
    ) -> None:
        """Each of the lists that are `required` has to be in force, where any is."""
        self.world = world
        self.profiles = Profiles(world.pool, 1)
        self.lists = ListStore(world.pool, 1, smaller_percent_min=80)
        self.screener = Screener(self.lists, policy.screening, world.clock, expected=required)
        self.history = HistoryStore(world.pool, 1)
        self.compliance = Compliance(
            policy=policy, screener=self.screener, history=self.history, profiles=self.profiles,
            is_screening_required=bool(required),
        )  # fmt: skip
        self.clearing = Clearing(self.compliance, world.clock, sims=sims)

    async def load(self) -> None:
        await self.lists.load(sdn(), int(self.world.clock.epoch() * 1000))
        await self.screener.refresh()

    async def register(self, name: str, msisdn: Msisdn = PAYEE) -> None:
        keys = PinKeys({1: b"k" * 32})
        customers = Customers(self.world.pool, 1, keys, Ids(self.world.clock), self.world.clock)
        await customers.register(msisdn, "UG", "en", "4826")
        await self.profiles.describe(msisdn, name=name)

    async def register_again(self, name: str, msisdn: Msisdn = PAYEE) -> None:
        """Staff correct the name."""
        await self.profiles.describe(msisdn, name=name)

    async def collected(self) -> PaymentId:
        """A payment as compliance clears it, whose collection has come in."""
        world = self.world
        world.policy.asks = self.clearing.clear_again
        quote = await world.quote()
        world.policy.clearance = await self.clearing.clear(CUSTOMER, quote)
        payment_id = await world.confirm(quote=quote)
        await world.dispatched()
        await world.tell(await world.live(payment_id), SUCCEEDED)
        await world.dispatched()
        return payment_id

    async def leave_queue(self, payment_id: PaymentId) -> State:
        """What becomes of a queued payment when its operator is open again."""
        self.world.policy.closed = set()
        await self.world.rulings.order_payout(await self.world.payment(payment_id))
        await self.world.dispatched()
        return await self.world.state(payment_id)

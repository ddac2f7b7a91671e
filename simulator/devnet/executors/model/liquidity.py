"""`capp_liquidity::liquidity`: pools, shares, fees, reservations."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from simulator.devnet.addresses import ZERO, object_address
from simulator.devnet.executors.model import assets, objects, primary
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model.contract import SIGNER, Category, Contract, object_of
from simulator.devnet.executors.model.governance import Role
from simulator.devnet.executors.model.numbers import u64, u128
from simulator.devnet.executors.model.shares import (
    SHARES_MAX,
    Fees,
    Position,
    buy,
    divide,
    fees_of,
    part_of,
)
from simulator.devnet.executors.model.world import Frame

_PROVIDING = {
    "pool": "address",
    "provider": "address",
    "amount": "u64",
    "shares": "u64",
    "total_before": "u64",
    "total_after": "u64",
    "shares_before": "u64",
    "shares_after": "u64",
}
_RESERVING = {
    "pool": "address",
    "id": "vector<u8>",
    "amount": "u64",
    "reserved_before": "u64",
    "reserved_after": "u64",
}
LIQUIDITY = Contract(
    0xCA03,
    "liquidity",
    events={
        "PoolCreated": {
            "pool": "address",
            "governance": "address",
            "registry": "address",
            "asset": "address",
            "settler": "address",
            "operator": "address",
            "funds": "address",
            "fees": "address",
        },
        "ProviderAdmitted": {"pool": "address", "operator": "address", "provider": "address"},
        "ProviderDismissed": {"pool": "address", "operator": "address", "provider": "address"},
        "Provided": _PROVIDING,
        "Withdrawn": _PROVIDING,
        "EmergencyExited": _PROVIDING,
        "LossTaken": {"pool": "address", "total_before": "u64", "total_after": "u64"},
        "OperatorGiven": {"pool": "address", "operator": "address", "shares": "u64"},
        "FeesAdded": {
            "pool": "address",
            "payer": "address",
            "amount": "u64",
            "held_before": "u64",
            "held_after": "u64",
        },
        "FeesClaimed": {
            "pool": "address",
            "provider": "address",
            "amount": "u64",
            "held_before": "u64",
            "held_after": "u64",
        },
        "Reserved": _RESERVING,
        "Released": _RESERVING,
        "Drawn": {
            "pool": "address",
            "id": "vector<u8>",
            "amount": "u64",
            "total_before": "u64",
            "total_after": "u64",
        },
        "PutIn": {
            "pool": "address",
            "amount": "u64",
            "total_before": "u64",
            "total_after": "u64",
        },
        "PoolPaused": {"pool": "address", "by": "address"},
        "PoolUnpaused": {"pool": "address", "by": "address"},
    },
)
OBJECT = object_of("0xca03::liquidity::Pool")
METADATA = assets.METADATA
ID_BYTES_MAX = 64
_FUNDS_SEED = b"funds"
_FEES_SEED = b"fees"


class Reason(IntEnum):
    """Why a pool says no."""

    POOL_PAUSED = 1
    NOT_SETTLER = 2
    OTHER_GOVERNANCE = 3
    NO_OPERATOR = 4
    ZERO = 5
    DRAINED = 6
    ROUNDED_AWAY = 7
    NOT_ENOUGH_SHARES = 8
    NOT_AVAILABLE = 9
    NO_PROVIDERS = 10
    RESERVATION_EXISTS = 11
    NO_RESERVATION = 12
    ABOVE_RESERVATION = 13
    ID_LENGTH = 14
    NOT_DELIVERED = 15
    NOT_OPERATOR = 16
    NOT_ADMITTED = 17


class Pool(NamedTuple):
    """One operator's pool. Positions and reservations are items of their own."""

    governance: bytes
    registry: bytes
    asset: bytes
    settler: bytes
    operator: bytes
    paused: bool
    total: int
    reserved: int
    shares: int
    funds: bytes
    fees: bytes
    fees_held: int
    fee_index: int
    fee_carry: int

    @property
    def free(self) -> int:
        """What is not promised; more can be promised than there is once a loss was taken."""
        return max(self.total - self.reserved, 0)

    def fees_of(self, position: Position) -> Fees:
        """What one of its providers may claim."""
        return fees_of(
            position,
            fee_index=self.fee_index,
            fee_carry=self.fee_carry,
            shares=self.shares,
        )


class Reservation(NamedTuple):
    """Kept under (pool, id)."""

    amount: int


class Admitted(NamedTuple):
    """Kept under (pool, provider)."""

    provider: bytes


@LIQUIDITY.view("address", "vector<u8>", returns=("address",))
def address_of(_: Frame, settler: bytes, seed: bytes) -> bytes:
    return object_address(settler, seed)


@LIQUIDITY.view(OBJECT, returns=("u64",))
def total(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).total


@LIQUIDITY.view(OBJECT, returns=("u64",))
def reserved(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).reserved


@LIQUIDITY.view(OBJECT, returns=("u64",))
def available(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).free


@LIQUIDITY.view(OBJECT, "vector<u8>", returns=("u64",))
def reserved_under(frame: Frame, pool: bytes, id: bytes) -> int:
    found = frame.find(Reservation, pool, id)
    return 0 if found is None else found.amount


@LIQUIDITY.view(OBJECT, returns=("u64",))
def shares(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).shares


@LIQUIDITY.view(OBJECT, "address", returns=("u64",))
def shares_of(frame: Frame, pool: bytes, who: bytes) -> int:
    found = frame.find(Position, pool, who)
    return 0 if found is None else found.shares


@LIQUIDITY.view(OBJECT, "address", returns=("u64",))
def fees_due(frame: Frame, pool: bytes, who: bytes) -> int:
    found = frame.find(Position, pool, who)
    return 0 if found is None else frame.get(Pool, pool).fees_of(found).due


@LIQUIDITY.view(OBJECT, returns=("u64",))
def fees_held(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).fees_held


@LIQUIDITY.view(OBJECT, returns=("bool",))
def is_pool_paused(frame: Frame, pool: bytes) -> bool:
    return frame.get(Pool, pool).paused


@LIQUIDITY.view(OBJECT, "address", returns=("bool",))
def may_provide(frame: Frame, pool: bytes, who: bytes) -> bool:
    operated = frame.get(Pool, pool).operator == who
    return operated or frame.find(Admitted, pool, who) is not None


@LIQUIDITY.view(OBJECT, returns=("address",))
def settler(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).settler


@LIQUIDITY.view(OBJECT, returns=("address",))
def operator(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).operator


@LIQUIDITY.view(OBJECT, returns=(METADATA,))
def asset(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).asset


@LIQUIDITY.view(OBJECT, returns=(governed.OBJECT,))
def governance_of(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).governance


@LIQUIDITY.view(OBJECT, returns=("address",))
def funds_of(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).funds


@LIQUIDITY.view(OBJECT, returns=("address",))
def fee_store_of(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).fees


@LIQUIDITY.entry(SIGNER, governed.OBJECT, complied.OBJECT, METADATA, "address", "vector<u8>")
def create(
    frame: Frame,
    creator: bytes,
    governance: bytes,
    registry: bytes,
    metadata: bytes,
    operator: bytes,
    seed: bytes,
) -> None:
    governed.assert_not_paused(frame, governance)
    governed.assert_role(frame, governance, creator, Role.LIQUIDITY_MANAGER)
    create_pool(frame, creator, governance, registry, metadata, operator, seed)


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def provide(frame: Frame, provider: bytes, pool: bytes, amount: int) -> None:
    complied.assert_clear(frame, _open(frame, pool).registry, provider)
    admitted = may_provide(frame, pool, provider)
    LIQUIDITY.demand(admitted, Category.PERMISSION_DENIED, Reason.NOT_ADMITTED)
    _demand_some(amount)
    before = _take_loss(frame, pool)
    paid = primary.withdraw(frame, provider, before.asset, amount)
    _deposit_exactly(frame, before.funds, paid)
    minted = _shares_for(before, amount)
    after = before._replace(total=u64(before.total + amount))
    after = _give_shares(frame, pool, after, provider, minted)
    frame.put(after, pool)
    _emit_providing(frame, "Provided", pool, provider, amount, minted, before, after)


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def withdraw(frame: Frame, provider: bytes, pool: bytes, given: int) -> None:
    complied.assert_clear(frame, _open(frame, pool).registry, provider)
    _demand_some(given)
    LIQUIDITY.demand(
        shares_of(frame, pool, provider) >= given,
        Category.INVALID_ARGUMENT,
        Reason.NOT_ENOUGH_SHARES,
    )
    before = _take_loss(frame, pool)
    amount = part_of(before.total, shares=given, shares_all=before.shares)
    _demand_available(amount, before.free)
    after = _take_shares(frame, pool, before, provider, given)
    after = after._replace(total=before.total - amount)
    frame.put(after, pool)
    _emit_providing(frame, "Withdrawn", pool, provider, amount, given, before, after)
    _pay_out(frame, pool, after.funds, provider, amount)


@LIQUIDITY.entry(SIGNER, OBJECT)
def emergency_exit(frame: Frame, provider: bytes, pool: bytes) -> None:
    complied.assert_clear(frame, frame.get(Pool, pool).registry, provider)
    given = shares_of(frame, pool, provider)
    LIQUIDITY.demand(given > 0, Category.INVALID_ARGUMENT, Reason.NOT_ENOUGH_SHARES)
    before = _take_loss(frame, pool)
    amount = part_of(before.free, shares=given, shares_all=before.shares)
    LIQUIDITY.demand(amount > 0, Category.RESOURCE_EXHAUSTED, Reason.NOT_AVAILABLE)
    after = _take_shares(frame, pool, before, provider, given)
    after = after._replace(total=before.total - amount)
    frame.put(after, pool)
    _emit_providing(frame, "EmergencyExited", pool, provider, amount, given, before, after)
    _give_operator(frame, pool)
    _pay_out(frame, pool, after.funds, provider, amount)


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def replenish(frame: Frame, payer: bytes, pool: bytes, amount: int) -> None:
    state = _open(frame, pool)
    complied.assert_clear(frame, state.registry, payer)
    _demand_some(amount)
    put(frame, pool, primary.withdraw(frame, payer, state.asset, amount))


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def add_fees(frame: Frame, payer: bytes, pool: bytes, amount: int) -> None:
    before = _open(frame, pool)
    complied.assert_clear(frame, before.registry, payer)
    _demand_some(amount)
    LIQUIDITY.demand(before.shares > 0, Category.INVALID_STATE, Reason.NO_PROVIDERS)
    paid = primary.withdraw(frame, payer, before.asset, amount)
    _deposit_exactly(frame, before.fees, paid)
    division = divide(
        amount,
        fee_index=before.fee_index,
        fee_carry=before.fee_carry,
        shares=before.shares,
    )
    held = u64(before.fees_held + amount)
    frame.put(before._replace(**division._asdict(), fees_held=held), pool)
    LIQUIDITY.emit(
        frame,
        "FeesAdded",
        pool=pool,
        payer=payer,
        amount=amount,
        held_before=before.fees_held,
        held_after=held,
    )


@LIQUIDITY.entry(SIGNER, OBJECT)
def claim_fees(frame: Frame, provider: bytes, pool: bytes) -> None:
    before = _open(frame, pool)
    complied.assert_clear(frame, before.registry, provider)
    amount = fees_due(frame, pool, provider)
    if amount == 0:
        return
    after, position = _accrue(frame, pool, before, provider)
    after = _keep(frame, pool, after, provider, position._replace(fees_due=0))
    after = after._replace(fees_held=u64(before.fees_held - amount))
    frame.put(after, pool)
    LIQUIDITY.emit(
        frame,
        "FeesClaimed",
        pool=pool,
        provider=provider,
        amount=amount,
        held_before=before.fees_held,
        held_after=after.fees_held,
    )
    _pay_out(frame, pool, after.fees, provider, amount)


@LIQUIDITY.entry(SIGNER, OBJECT, "vector<u8>", "u64")
def reserve_entry(frame: Frame, settler: bytes, pool: bytes, id: bytes, amount: int) -> None:
    reserve(frame, settler, pool, id, amount)


@LIQUIDITY.entry(SIGNER, OBJECT, "vector<u8>")
def release_entry(frame: Frame, settler: bytes, pool: bytes, id: bytes) -> None:
    release(frame, settler, pool, id)


@LIQUIDITY.entry(SIGNER, OBJECT, "address")
def admit(frame: Frame, operator: bytes, pool: bytes, provider: bytes) -> None:
    _open(frame, pool)
    _assert_operator(frame, operator, pool)
    if may_provide(frame, pool, provider):
        return
    frame.put(Admitted(provider), pool, provider)
    LIQUIDITY.emit(frame, "ProviderAdmitted", pool=pool, operator=operator, provider=provider)


@LIQUIDITY.entry(SIGNER, OBJECT, "address")
def dismiss(frame: Frame, operator: bytes, pool: bytes, provider: bytes) -> None:
    _assert_operator(frame, operator, pool)
    if frame.find(Admitted, pool, provider) is None:
        return
    frame.drop(Admitted, pool, provider)
    LIQUIDITY.emit(frame, "ProviderDismissed", pool=pool, operator=operator, provider=provider)


@LIQUIDITY.entry(SIGNER, OBJECT)
def pause_pool(frame: Frame, pauser: bytes, pool: bytes) -> None:
    state = frame.get(Pool, pool)
    governed.assert_role(frame, state.governance, pauser, Role.PAUSER)
    _set_paused(frame, pool, state, pauser, paused=True)


@LIQUIDITY.entry(SIGNER, OBJECT)
def unpause_pool(frame: Frame, owner: bytes, pool: bytes) -> None:
    state = frame.get(Pool, pool)
    governed.assert_owner(frame, state.governance, owner)
    _set_paused(frame, pool, state, owner, paused=False)


def create_pool(
    frame: Frame,
    settler: bytes,
    governance: bytes,
    registry: bytes,
    metadata: bytes,
    operator: bytes,
    seed: bytes,
) -> bytes:
    """Make a pool that obeys `settler`; its address."""
    governed.assert_not_paused(frame, governance)
    LIQUIDITY.demand(
        complied.governance_of(frame, registry) == governance,
        Category.INVALID_ARGUMENT,
        Reason.OTHER_GOVERNANCE,
    )
    LIQUIDITY.demand(operator != ZERO, Category.INVALID_ARGUMENT, Reason.NO_OPERATOR)
    pool = objects.create_named(frame, settler, seed, ungated=True)
    funds = _create_store(frame, pool, _FUNDS_SEED, metadata)
    fees = _create_store(frame, pool, _FEES_SEED, metadata)
    frame.put(
        Pool(
            governance=governance,
            registry=registry,
            asset=metadata,
            settler=settler,
            operator=operator,
            paused=False,
            total=0,
            reserved=0,
            shares=0,
            funds=funds,
            fees=fees,
            fees_held=0,
            fee_index=0,
            fee_carry=0,
        ),
        pool,
    )
    objects.hand_on(frame, settler, pool, ZERO)
    LIQUIDITY.emit(
        frame,
        "PoolCreated",
        pool=pool,
        governance=governance,
        registry=registry,
        asset=metadata,
        settler=settler,
        operator=operator,
        funds=funds,
        fees=fees,
    )
    return pool


def reserve(frame: Frame, settler: bytes, pool: bytes, id: bytes, amount: int) -> None:
    """The settler sets an amount aside under an id."""
    _obeying(frame, settler, pool)
    LIQUIDITY.demand(0 < len(id) <= ID_BYTES_MAX, Category.INVALID_ARGUMENT, Reason.ID_LENGTH)
    _demand_some(amount)
    LIQUIDITY.demand(
        frame.find(Reservation, pool, id) is None,
        Category.ALREADY_EXISTS,
        Reason.RESERVATION_EXISTS,
    )
    before = _take_loss(frame, pool)
    _demand_available(amount, before.free)
    after = before._replace(reserved=before.reserved + amount)
    frame.put(after, pool)
    frame.put(Reservation(amount), pool, id)
    LIQUIDITY.emit(
        frame,
        "Reserved",
        pool=pool,
        id=id,
        amount=amount,
        reserved_before=before.reserved,
        reserved_after=after.reserved,
    )


def release(frame: Frame, settler: bytes, pool: bytes, id: bytes) -> int:
    """The settler lets a reservation go; what it was."""
    before = _obeying(frame, settler, pool)
    amount = _end_reservation(frame, pool, before, id)
    _emit_released(frame, pool, id, amount, before.reserved - amount)
    return amount


def draw(frame: Frame, settler: bytes, pool: bytes, amount: int) -> assets.Asset:
    """The settler takes from what is not reserved."""
    _obeying(frame, settler, pool)
    _demand_some(amount)
    before = _take_loss(frame, pool)
    _demand_available(amount, before.free)
    return _take_out(frame, pool, before, b"", amount)


def draw_reserved(
    frame: Frame, settler: bytes, pool: bytes, id: bytes, amount: int
) -> assets.Asset:
    """The settler takes from a reservation; the rest of it is released."""
    _obeying(frame, settler, pool)
    _demand_some(amount)
    held = _end_reservation(frame, pool, _take_loss(frame, pool), id)
    LIQUIDITY.demand(amount <= held, Category.INVALID_ARGUMENT, Reason.ABOVE_RESERVATION)
    after = frame.get(Pool, pool)
    _demand_available(amount, after.total)
    if amount < held:
        _emit_released(frame, pool, id, held - amount, after.reserved + amount)
    return _take_out(frame, pool, after, id, amount)


def put(frame: Frame, pool: bytes, asset: assets.Asset) -> int:
    """Raise the worth of every share; in a pool without shares it is the operator's."""
    before = _open(frame, pool)
    _demand_some(asset.amount)
    _deposit_exactly(frame, before.funds, asset)
    after = before._replace(total=u64(before.total + asset.amount))
    frame.put(after, pool)
    LIQUIDITY.emit(
        frame,
        "PutIn",
        pool=pool,
        amount=asset.amount,
        total_before=before.total,
        total_after=after.total,
    )
    _give_operator(frame, pool)
    return asset.amount


def _open(frame: Frame, pool: bytes) -> Pool:
    state = frame.get(Pool, pool)
    governed.assert_not_paused(frame, state.governance)
    LIQUIDITY.demand(not state.paused, Category.INVALID_STATE, Reason.POOL_PAUSED)
    return state


def _obeying(frame: Frame, settler: bytes, pool: bytes) -> Pool:
    state = _open(frame, pool)
    LIQUIDITY.demand(state.settler == settler, Category.PERMISSION_DENIED, Reason.NOT_SETTLER)
    return state


def _assert_operator(frame: Frame, who: bytes, pool: bytes) -> None:
    operates = frame.get(Pool, pool).operator == who
    LIQUIDITY.demand(operates, Category.PERMISSION_DENIED, Reason.NOT_OPERATOR)


def _demand_some(amount: int) -> None:
    LIQUIDITY.demand(amount > 0, Category.INVALID_ARGUMENT, Reason.ZERO)


def _demand_available(amount: int, free: int) -> None:
    LIQUIDITY.demand(amount <= free, Category.RESOURCE_EXHAUSTED, Reason.NOT_AVAILABLE)


def _set_paused(frame: Frame, pool: bytes, state: Pool, by: bytes, *, paused: bool) -> None:
    if state.paused == paused:
        return
    frame.put(state._replace(paused=paused), pool)
    LIQUIDITY.emit(frame, "PoolPaused" if paused else "PoolUnpaused", pool=pool, by=by)


def _take_loss(frame: Frame, pool: bytes) -> Pool:
    """What an issuer took from the store is written down."""
    before = frame.get(Pool, pool)
    balance = assets.balance(frame, before.funds)
    if balance >= before.total:
        return before
    after = before._replace(total=balance)
    frame.put(after, pool)
    LIQUIDITY.emit(frame, "LossTaken", pool=pool, total_before=before.total, total_after=balance)
    return after


def _shares_for(state: Pool, amount: int) -> int:
    if state.shares == 0:
        return amount
    LIQUIDITY.demand(state.total > 0, Category.INVALID_STATE, Reason.DRAINED)
    purchase = buy(amount, shares=state.shares, total=state.total)
    LIQUIDITY.demand(
        purchase.minted <= SHARES_MAX - state.shares, Category.INVALID_STATE, Reason.DRAINED
    )
    LIQUIDITY.demand(not purchase.is_rounded_away, Category.INVALID_ARGUMENT, Reason.ROUNDED_AWAY)
    return purchase.minted


def _accrue(frame: Frame, pool: bytes, state: Pool, who: bytes) -> tuple[Pool, Position]:
    """A provider's fees brought up to date, before any change of its shares; kept by who calls."""
    found = frame.find(Position, pool, who)
    if found is None:
        return state, Position(0, state.fee_index, 0, 0)
    fees = state.fees_of(found)
    position = Position(found.shares, state.fee_index, fees.due, fees.fraction)
    return state._replace(fee_carry=state.fee_carry - fees.from_carry), position


def _give_shares(frame: Frame, pool: bytes, state: Pool, who: bytes, given: int) -> Pool:
    after, position = _accrue(frame, pool, state, who)
    frame.put(position._replace(shares=position.shares + given), pool, who)
    return after._replace(shares=u64(after.shares + given))


def _take_shares(frame: Frame, pool: bytes, state: Pool, who: bytes, taken: int) -> Pool:
    after, position = _accrue(frame, pool, state, who)
    left = position._replace(shares=position.shares - taken)
    after = after._replace(shares=after.shares - taken)
    return _keep(frame, pool, after, who, left)


def _keep(frame: Frame, pool: bytes, state: Pool, who: bytes, position: Position) -> Pool:
    """A position of nothing is deleted; its fraction of a unit goes back to all."""
    if not position.is_nothing:
        frame.put(position, pool, who)
        return state
    frame.drop(Position, pool, who)
    return state._replace(fee_carry=u128(state.fee_carry + position.fee_fraction))


def _give_operator(frame: Frame, pool: bytes) -> None:
    state = frame.get(Pool, pool)
    if state.shares > 0 or state.total == 0:
        return
    frame.put(_give_shares(frame, pool, state, state.operator, state.total), pool)
    LIQUIDITY.emit(frame, "OperatorGiven", pool=pool, operator=state.operator, shares=state.total)


def _end_reservation(frame: Frame, pool: bytes, state: Pool, id: bytes) -> int:
    found = frame.find(Reservation, pool, id)
    if found is None:
        raise LIQUIDITY.abort(Category.NOT_FOUND, Reason.NO_RESERVATION)
    frame.drop(Reservation, pool, id)
    frame.put(state._replace(reserved=state.reserved - found.amount), pool)
    return found.amount


def _emit_released(frame: Frame, pool: bytes, id: bytes, amount: int, reserved_after: int) -> None:
    LIQUIDITY.emit(
        frame,
        "Released",
        pool=pool,
        id=id,
        amount=amount,
        reserved_before=reserved_after + amount,
        reserved_after=reserved_after,
    )


def _emit_providing(
    frame: Frame,
    name: str,
    pool: bytes,
    provider: bytes,
    amount: int,
    moved: int,
    before: Pool,
    after: Pool,
) -> None:
    LIQUIDITY.emit(
        frame,
        name,
        pool=pool,
        provider=provider,
        amount=amount,
        shares=moved,
        total_before=before.total,
        total_after=after.total,
        shares_before=before.shares,
        shares_after=after.shares,
    )


def _create_store(frame: Frame, pool: bytes, seed: bytes, metadata: bytes) -> bytes:
    store = objects.create_named(frame, pool, seed, ungated=True)
    assets.create_store(frame, store, metadata)
    return store


def _deposit_exactly(frame: Frame, store: bytes, asset: assets.Asset) -> None:
    before = assets.balance(frame, store)
    assets.deposit(frame, store, asset)
    _assert_delivered(assets.balance(frame, store) - before, asset.amount)


def _withdraw_exactly(frame: Frame, pool: bytes, store: bytes, amount: int) -> assets.Asset:
    before = assets.balance(frame, store)
    asset = assets.withdraw(frame, pool, store, amount)
    _assert_delivered(asset.amount, amount)
    _assert_delivered(before - assets.balance(frame, store), amount)
    return asset


def _assert_delivered(moved: int, asked: int) -> None:
    LIQUIDITY.demand(moved == asked, Category.ABORTED, Reason.NOT_DELIVERED)


def _pay_out(frame: Frame, pool: bytes, store: bytes, to: bytes, amount: int) -> None:
    if amount == 0:
        return
    primary.deposit(frame, to, _withdraw_exactly(frame, pool, store, amount))


def _take_out(frame: Frame, pool: bytes, before: Pool, id: bytes, amount: int) -> assets.Asset:
    after = before._replace(total=u64(before.total - amount))
    frame.put(after, pool)
    LIQUIDITY.emit(
        frame,
        "Drawn",
        pool=pool,
        id=id,
        amount=amount,
        total_before=before.total,
        total_after=after.total,
    )
    return _withdraw_exactly(frame, pool, after.funds, amount)

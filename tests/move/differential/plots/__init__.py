"""Calls that could well be made: one function for each entry function, with fitting arguments.

Each looks at the picture and asks views, so that most of what it draws is valid just now. One
module a contract.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.move.differential.drawing import Drawn
from tests.move.differential.picture import Picture
from tests.move.differential.plots.assets import (
    create_asset,
    freeze_owner,
    freeze_store,
    mint,
    transfer,
)
from tests.move.differential.plots.compliance import (
    attest,
    bar,
    bar_hundreds,
    create_registry,
    report,
    revoke_attestation,
    unbar,
)
from tests.move.differential.plots.disputes import (
    answer_dispute,
    open_at_the_last_second,
    open_dispute,
    refund,
    resolve_at_the_last_second,
    resolve_dispute,
)
from tests.move.differential.plots.governance import (
    accept_ownership,
    create_governance,
    grant,
    offer_ownership,
    pause,
    revoke,
    set_bound,
    unpause,
    withdraw_offer,
)
from tests.move.differential.plots.liquidity import (
    add_fees,
    admit,
    claim_fees,
    create_pool,
    dismiss,
    emergency_exit,
    pause_pool,
    provide,
    release_entry,
    replenish,
    reserve_entry,
    unpause_pool,
    withdraw,
)
from tests.move.differential.plots.settlement import (
    CHAIN_ID,
    corridor_call,
    create_corridor,
    set_approvers,
    settle,
)

__all__ = ["CHAIN_ID", "PLOTS", "Plot", "corridor_call"]


Plot = Callable[[Picture], Drawn]
PLOTS: dict[Plot, int] = {
    create_governance: 2,
    grant: 10,
    revoke: 3,
    offer_ownership: 3,
    withdraw_offer: 2,
    accept_ownership: 3,
    pause: 2,
    unpause: 6,
    set_bound: 4,
    create_registry: 2,
    attest: 5,
    revoke_attestation: 3,
    bar: 3,
    unbar: 7,
    bar_hundreds: 1,
    report: 3,
    create_pool: 3,
    admit: 9,
    dismiss: 3,
    provide: 26,
    withdraw: 10,
    emergency_exit: 3,
    replenish: 7,
    add_fees: 9,
    claim_fees: 7,
    reserve_entry: 6,
    release_entry: 5,
    pause_pool: 2,
    unpause_pool: 5,
    create_corridor: 3,
    set_approvers: 3,
    settle: 34,
    open_dispute: 16,
    open_at_the_last_second: 4,
    resolve_at_the_last_second: 4,
    answer_dispute: 10,
    resolve_dispute: 10,
    refund: 9,
    transfer: 4,
    create_asset: 2,
    mint: 6,
    freeze_owner: 4,
    freeze_store: 5,
}
"""How often each is drawn, of all of them together."""

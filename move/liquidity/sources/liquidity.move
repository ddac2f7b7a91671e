/// Pools: what providers lend to one operator so that it can pay what it owes, and what they earn by it.
///
/// A pool obeys one settler and does not ask why: what a batch, a member or a dispute is, others know.
/// What a pool owns is what it has written down, never what happens to lie in its store.
module capp_liquidity::liquidity {
    use std::error;
    use std::signer;
    use aptos_std::table::{Self, Table};
    use aptos_framework::dispatchable_fungible_asset;
    use aptos_framework::event;
    use aptos_framework::fungible_asset::{Self, FungibleAsset, FungibleStore, Metadata};
    use aptos_framework::object::{Self, ExtendRef, Object};
    use aptos_framework::primary_fungible_store;
    use capp_compliance::compliance::{Self, Registry};
    use capp_governance::governance::{Self, Governance};

    // Errors

    /// The pool is paused: nothing but an emergency exit until the owner of the governance unpauses it.
    const E_POOL_PAUSED: u64 = 1;
    /// The account is not the settler of the pool.
    const E_NOT_SETTLER: u64 = 2;
    /// The registry belongs to another governance than the pool.
    const E_OTHER_GOVERNANCE: u64 = 3;
    /// The address 0x0 can sign nothing, so it operates nothing.
    const E_NO_OPERATOR: u64 = 4;
    /// Nothing was asked for: an amount or a number of shares must be above zero.
    const E_ZERO: u64 = 5;
    /// The shares are worth too little for anybody to provide at their price: replenish the pool, or give
    /// the shares back.
    const E_DRAINED: u64 = 6;
    /// Rounding would cost the provider more than a thousandth of what it provides.
    const E_ROUNDED_AWAY: u64 = 7;
    /// The provider has fewer shares than that.
    const E_NOT_ENOUGH_SHARES: u64 = 8;
    /// The pool does not have that much that is not reserved.
    const E_NOT_AVAILABLE: u64 = 9;
    /// Nobody provides, so nobody can be given a fee.
    const E_NO_PROVIDERS: u64 = 10;
    /// Something is reserved under this id already.
    const E_RESERVATION_EXISTS: u64 = 11;
    /// Nothing is reserved under this id.
    const E_NO_RESERVATION: u64 = 12;
    /// More is drawn than was reserved under this id.
    const E_ABOVE_RESERVATION: u64 = 13;
    /// The id of a reservation has 1 to 64 bytes.
    const E_ID_LENGTH: u64 = 14;
    /// The asset moved more or less than it was asked to: one that takes a fee of its own is not for pools.
    const E_NOT_DELIVERED: u64 = 15;
    /// The account is not the operator of the pool.
    const E_NOT_OPERATOR: u64 = 16;
    /// The operator has not admitted the account to provide.
    const E_NOT_ADMITTED: u64 = 17;

    // Constants

    /// The most shares a pool may have: they are told as u64.
    const SHARES_MAX: u128 = 18_446_744_073_709_551_615;
    /// Rounding may cost a provider one part in so many.
    const LOSS_PARTS: u128 = 1_000;
    /// The longest id of a reservation.
    const ID_BYTES_MAX: u64 = 64;
    /// Fees per share are counted in units of 2^-64 of the asset's smallest unit.
    const FEE_SHIFT: u8 = 64;
    /// One whole unit in those units.
    const FEE_UNIT: u128 = 18_446_744_073_709_551_616;
    /// What is below one whole unit.
    const FEE_MASK: u256 = 18_446_744_073_709_551_615;
    /// Seeds of the two stores, under the pool's address.
    const FUNDS_SEED: vector<u8> = b"funds";
    const FEES_SEED: vector<u8> = b"fees";

    // Structs

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    /// One operator's pool in one asset. Settlement moves the worth of its shares, and replenishing is
    /// money for those who have some, so only those provide whom the operator agrees to share with.
    ///
    /// Its object is owned by nobody: whoever owns an object also owns, through it, the stores that it
    /// owns, and could empty them past all that is written here.
    struct Pool has key {
        governance: Object<Governance>,
        registry: Object<Registry>,
        asset: Object<Metadata>,
        /// Who may reserve, release and draw: a corridor, or the account that made the pool.
        settler: address,
        /// Whom everything belongs to that no provider has a share in.
        operator: address,
        paused: bool,
        /// All that belongs to the providers, reserved or not, without fees.
        total: u64,
        /// What of it is promised.
        reserved: u64,
        shares: u64,
        positions: Table<address, Position>,
        /// Who may provide besides the operator; who is dismissed leaves nothing behind.
        admitted: Table<address, bool>,
        reservations: Table<vector<u8>, u64>,
        funds: Object<FungibleStore>,
        fees: Object<FungibleStore>,
        /// Fees that came in and were not claimed yet.
        fees_held: u64,
        /// What one share has earned since the beginning, in units of 2^-64.
        fee_index: u256,
        /// What could not be divided among the shares yet, in units of 2^-64.
        fee_carry: u128,
        /// Signs for the stores, and for resources of later versions at the same address.
        extend_ref: ExtendRef
    }

    /// What one provider has. It is deleted when nothing is left of it.
    struct Position has drop, store {
        shares: u64,
        /// The pool's index up to which the fees below are counted.
        fee_index: u256,
        fees_due: u64,
        /// What is below one whole unit, in units of 2^-64.
        fee_fraction: u128
    }

    // Events

    #[event]
    /// A pool was made.
    struct PoolCreated has drop, store {
        pool: address,
        governance: address,
        registry: address,
        asset: address,
        settler: address,
        operator: address,
        funds: address,
        fees: address
    }

    #[event]
    /// An account may provide that could not.
    struct ProviderAdmitted has drop, store {
        pool: address,
        operator: address,
        provider: address
    }

    #[event]
    /// An account may provide no longer; what it has, it keeps.
    struct ProviderDismissed has drop, store {
        pool: address,
        operator: address,
        provider: address
    }

    #[event]
    /// Somebody provided.
    struct Provided has drop, store {
        pool: address,
        provider: address,
        amount: u64,
        shares: u64,
        total_before: u64,
        total_after: u64,
        shares_before: u64,
        shares_after: u64
    }

    #[event]
    /// Somebody took out what shares were worth.
    struct Withdrawn has drop, store {
        pool: address,
        provider: address,
        amount: u64,
        shares: u64,
        total_before: u64,
        total_after: u64,
        shares_before: u64,
        shares_after: u64
    }

    #[event]
    /// Somebody left with what was there, its part of the reserved given up.
    struct EmergencyExited has drop, store {
        pool: address,
        provider: address,
        amount: u64,
        shares: u64,
        total_before: u64,
        total_after: u64,
        shares_before: u64,
        shares_after: u64
    }

    #[event]
    /// The store had less than was written down, and the difference is lost to all providers.
    struct LossTaken has drop, store {
        pool: address,
        total_before: u64,
        total_after: u64
    }

    #[event]
    /// What no provider had a share in was made the operator's, one share a unit.
    struct OperatorGiven has drop, store {
        pool: address,
        operator: address,
        shares: u64
    }

    #[event]
    /// Fees came in.
    struct FeesAdded has drop, store {
        pool: address,
        payer: address,
        amount: u64,
        held_before: u64,
        held_after: u64
    }

    #[event]
    /// A provider took its fees.
    struct FeesClaimed has drop, store {
        pool: address,
        provider: address,
        amount: u64,
        held_before: u64,
        held_after: u64
    }

    #[event]
    /// An amount was promised.
    struct Reserved has drop, store {
        pool: address,
        id: vector<u8>,
        amount: u64,
        reserved_before: u64,
        reserved_after: u64
    }

    #[event]
    /// A promise ended without payment, wholly or for what was left of it.
    struct Released has drop, store {
        pool: address,
        id: vector<u8>,
        amount: u64,
        reserved_before: u64,
        reserved_after: u64
    }

    #[event]
    /// The settler took from the pool. Without an id it was not reserved.
    struct Drawn has drop, store {
        pool: address,
        id: vector<u8>,
        amount: u64,
        total_before: u64,
        total_after: u64
    }

    #[event]
    /// Something came in that raises the worth of every share.
    struct PutIn has drop, store {
        pool: address,
        amount: u64,
        total_before: u64,
        total_after: u64
    }

    #[event]
    /// The pool was paused.
    struct PoolPaused has drop, store {
        pool: address,
        by: address
    }

    #[event]
    /// The pool goes on.
    struct PoolUnpaused has drop, store {
        pool: address,
        by: address
    }

    // Views

    #[view]
    /// Where the pool of this settler and seed is, whether it is made yet or not.
    public fun address_of(settler: address, seed: vector<u8>): address {
        object::create_object_address(&settler, seed)
    }

    #[view]
    /// All that belongs to the providers, reserved or not, without fees, in the asset's smallest units.
    public fun total(pool: Object<Pool>): u64 acquires Pool {
        read(pool).total
    }

    #[view]
    /// What of the total is promised.
    public fun reserved(pool: Object<Pool>): u64 acquires Pool {
        read(pool).reserved
    }

    #[view]
    /// What of the total is not promised.
    public fun available(pool: Object<Pool>): u64 acquires Pool {
        free_of(read(pool))
    }

    #[view]
    /// What is reserved under an id; 0 when nothing is.
    public fun reserved_under(pool: Object<Pool>, id: vector<u8>): u64 acquires Pool {
        *table::borrow_with_default(&read(pool).reservations, id, &0)
    }

    #[view]
    /// All shares together.
    public fun shares(pool: Object<Pool>): u64 acquires Pool {
        read(pool).shares
    }

    #[view]
    /// The shares of one provider.
    public fun shares_of(pool: Object<Pool>, who: address): u64 acquires Pool {
        let pool = read(pool);
        if (!table::contains(&pool.positions, who)) return 0;
        table::borrow(&pool.positions, who).shares
    }

    #[view]
    /// The fees that one provider may claim now, in whole units.
    public fun fees_due(pool: Object<Pool>, who: address): u64 acquires Pool {
        let pool = read(pool);
        if (!table::contains(&pool.positions, who)) return 0;
        let (due, _, _) = fees_of(pool, table::borrow(&pool.positions, who));
        due
    }

    #[view]
    /// Fees that came in and were not claimed yet, of all providers.
    public fun fees_held(pool: Object<Pool>): u64 acquires Pool {
        read(pool).fees_held
    }

    #[view]
    /// Whether the pool itself is paused; its governance may be besides.
    public fun is_pool_paused(pool: Object<Pool>): bool acquires Pool {
        read(pool).paused
    }

    #[view]
    /// Who may reserve, release and draw.
    public fun settler(pool: Object<Pool>): address acquires Pool {
        read(pool).settler
    }

    #[view]
    /// Whose debts the pool pays.
    public fun operator(pool: Object<Pool>): address acquires Pool {
        read(pool).operator
    }

    #[view]
    /// Whether the account may provide: the operator, and whom it admitted.
    public fun may_provide(pool: Object<Pool>, who: address): bool acquires Pool {
        let state = read(pool);
        who == state.operator || table::contains(&state.admitted, who)
    }

    #[view]
    /// What the pool is kept in.
    public fun asset(pool: Object<Pool>): Object<Metadata> acquires Pool {
        read(pool).asset
    }

    #[view]
    /// Whose pause, roles and bounds count here.
    public fun governance_of(pool: Object<Pool>): Object<Governance> acquires Pool {
        read(pool).governance
    }

    #[view]
    /// The store of what belongs to the providers: what an issuer would freeze.
    public fun funds_of(pool: Object<Pool>): address acquires Pool {
        object::object_address(&read(pool).funds)
    }

    #[view]
    /// The store of fees not claimed yet.
    public fun fee_store_of(pool: Object<Pool>): address acquires Pool {
        object::object_address(&read(pool).fees)
    }

    // Public functions

    /// Makes a pool that obeys the signer. Anybody may: whoever relies on a pool names it.
    /// Aborts governance's E_PAUSED, E_OTHER_GOVERNANCE, E_NO_OPERATOR, and with the object module's
    /// EOBJECT_EXISTS (0x80001) on the same settler and seed again.
    public fun create_pool(
        settler: &signer,
        g: Object<Governance>,
        r: Object<Registry>,
        asset: Object<Metadata>,
        operator: address,
        seed: vector<u8>
    ): Object<Pool> {
        governance::assert_not_paused(g);
        assert!(compliance::governance_of(r) == g, error::invalid_argument(E_OTHER_GOVERNANCE));
        assert!(operator != @0x0, error::invalid_argument(E_NO_OPERATOR));
        let constructor = object::create_named_object(settler, seed);
        let pool_signer = object::generate_signer(&constructor);
        let funds = create_store(&pool_signer, FUNDS_SEED, asset);
        let fees = create_store(&pool_signer, FEES_SEED, asset);
        let settler_address = signer::address_of(settler);
        move_to(
            &pool_signer,
            Pool {
                governance: g,
                registry: r,
                asset,
                settler: settler_address,
                operator,
                paused: false,
                total: 0,
                reserved: 0,
                shares: 0,
                positions: table::new(),
                admitted: table::new(),
                reservations: table::new(),
                funds,
                fees,
                fees_held: 0,
                fee_index: 0,
                fee_carry: 0,
                extend_ref: object::generate_extend_ref(&constructor)
            }
        );
        let pool = object::object_from_constructor_ref<Pool>(&constructor);
        object::transfer(settler, pool, @0x0);
        event::emit(
            PoolCreated {
                pool: object::object_address(&pool),
                governance: object::object_address(&g),
                registry: object::object_address(&r),
                asset: object::object_address(&asset),
                settler: settler_address,
                operator,
                funds: object::object_address(&funds),
                fees: object::object_address(&fees)
            }
        );
        pool
    }

    /// Pays an amount in and returns the shares made for it: one a unit in a pool without shares, else
    /// what the amount buys at their worth, rounded down. For the operator and those it admitted.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_BARRED, E_NOT_ADMITTED, E_ZERO, E_NOT_DELIVERED, E_DRAINED,
    /// E_ROUNDED_AWAY.
    public fun provide_liquidity(
        provider: &signer, pool: Object<Pool>, amount: u64
    ): u64 acquires Pool {
        let who = signer::address_of(provider);
        assert_open(pool);
        assert_clear(pool, who);
        assert!(may_provide(pool, who), error::permission_denied(E_NOT_ADMITTED));
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        take_loss(pool, write(pool));
        let paid = primary_fungible_store::withdraw(provider, asset(pool), amount);
        deposit_exactly(read(pool).funds, paid, amount);
        let state = write(pool);
        // Priced after the deposit: an asset that called back could have changed the price within it.
        let minted = shares_for(state, amount);
        accrue(state, who);
        let (total_before, shares_before) = (state.total, state.shares);
        state.total += amount;
        give_shares(state, who, minted);
        event::emit(
            Provided {
                pool: object::object_address(&pool),
                provider: who,
                amount,
                shares: minted,
                total_before,
                total_after: state.total,
                shares_before,
                shares_after: state.shares
            }
        );
        minted
    }

    /// Gives shares back and pays out what they are worth, rounded down, and returns that. Shares that are
    /// worth nothing may be given back for nothing. Fees stay due.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_BARRED, E_ZERO, E_NOT_ENOUGH_SHARES, E_NOT_AVAILABLE.
    public fun withdraw_liquidity(
        provider: &signer, pool: Object<Pool>, shares: u64
    ): u64 acquires Pool {
        let who = signer::address_of(provider);
        assert_open(pool);
        assert_clear(pool, who);
        assert!(shares > 0, error::invalid_argument(E_ZERO));
        assert!(shares_of(pool, who) >= shares, error::invalid_argument(E_NOT_ENOUGH_SHARES));
        let state = write(pool);
        take_loss(pool, state);
        let (total_before, shares_before) = (state.total, state.shares);
        let amount = part_of(total_before, shares, shares_before);
        assert!(amount <= free_of(state), error::resource_exhausted(E_NOT_AVAILABLE));
        take_shares(state, who, shares);
        state.total -= amount;
        event::emit(
            Withdrawn {
                pool: object::object_address(&pool),
                provider: who,
                amount,
                shares,
                total_before,
                total_after: state.total,
                shares_before,
                shares_after: state.shares
            }
        );
        pay_out(state, state.funds, who, amount);
        amount
    }

    /// Takes all shares of a provider out for its part of what lies in the store and is not reserved, and
    /// returns that. It goes on when all else is paused; whoever takes it gives up its part of the
    /// reserved. Fees stay due. Aborts E_BARRED, E_NOT_ENOUGH_SHARES, E_NOT_AVAILABLE.
    public fun exit(provider: &signer, pool: Object<Pool>): u64 acquires Pool {
        let who = signer::address_of(provider);
        assert_clear(pool, who);
        let shares = shares_of(pool, who);
        assert!(shares > 0, error::invalid_argument(E_NOT_ENOUGH_SHARES));
        let state = write(pool);
        take_loss(pool, state);
        let (total_before, shares_before) = (state.total, state.shares);
        let amount = part_of(free_of(state), shares, shares_before);
        assert!(amount > 0, error::resource_exhausted(E_NOT_AVAILABLE));
        take_shares(state, who, shares);
        state.total -= amount;
        event::emit(
            EmergencyExited {
                pool: object::object_address(&pool),
                provider: who,
                amount,
                shares,
                total_before,
                total_after: state.total,
                shares_before,
                shares_after: state.shares
            }
        );
        give_operator(pool, state);
        pay_out(state, state.funds, who, amount);
        amount
    }

    /// Pays a provider all whole units of its fees and returns them. With none it does nothing.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_BARRED.
    public fun take_fees(provider: &signer, pool: Object<Pool>): u64 acquires Pool {
        let who = signer::address_of(provider);
        assert_open(pool);
        assert_clear(pool, who);
        let amount = fees_due(pool, who);
        if (amount == 0) return 0;
        let state = write(pool);
        accrue(state, who);
        table::borrow_mut(&mut state.positions, who).fees_due = 0;
        tidy(state, who);
        let held_before = state.fees_held;
        state.fees_held -= amount;
        event::emit(
            FeesClaimed {
                pool: object::object_address(&pool),
                provider: who,
                amount,
                held_before,
                held_after: state.fees_held
            }
        );
        pay_out(state, state.fees, who, amount);
        amount
    }

    /// The settler sets an amount aside under an id: nobody else can withdraw or draw it.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_NOT_SETTLER, E_ID_LENGTH, E_ZERO, E_RESERVATION_EXISTS (at a
    /// repeat too), E_NOT_AVAILABLE.
    public fun reserve(
        settler: &signer,
        pool: Object<Pool>,
        id: vector<u8>,
        amount: u64
    ) acquires Pool {
        assert_open(pool);
        assert_settler(settler, pool);
        assert!(
            !id.is_empty() && id.length() <= ID_BYTES_MAX,
            error::invalid_argument(E_ID_LENGTH)
        );
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        let state = write(pool);
        assert!(
            !table::contains(&state.reservations, id),
            error::already_exists(E_RESERVATION_EXISTS)
        );
        take_loss(pool, state);
        assert!(amount <= free_of(state), error::resource_exhausted(E_NOT_AVAILABLE));
        let reserved_before = state.reserved;
        state.reserved += amount;
        table::add(&mut state.reservations, id, amount);
        event::emit(
            Reserved {
                pool: object::object_address(&pool),
                id,
                amount,
                reserved_before,
                reserved_after: state.reserved
            }
        );
    }

    /// The settler lets a reservation go and gets told what it was.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_NOT_SETTLER, E_NO_RESERVATION (at a repeat too).
    public fun release(
        settler: &signer, pool: Object<Pool>, id: vector<u8>
    ): u64 acquires Pool {
        assert_open(pool);
        assert_settler(settler, pool);
        let state = write(pool);
        let amount = end_reservation(state, id);
        emit_released(pool, id, amount, state.reserved);
        amount
    }

    /// The settler takes from what is not reserved. The worth of every share falls.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_NOT_SETTLER, E_ZERO, E_NOT_AVAILABLE, E_NOT_DELIVERED.
    public fun draw(
        settler: &signer, pool: Object<Pool>, amount: u64
    ): FungibleAsset acquires Pool {
        assert_open(pool);
        assert_settler(settler, pool);
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        let state = write(pool);
        take_loss(pool, state);
        assert!(amount <= free_of(state), error::resource_exhausted(E_NOT_AVAILABLE));
        take_out(pool, state, vector[], amount)
    }

    /// The settler takes from what is reserved under an id; the rest of the reservation is released.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_NOT_SETTLER, E_ZERO, E_NO_RESERVATION (at a repeat too),
    /// E_ABOVE_RESERVATION, E_NOT_AVAILABLE (after a loss of what was reserved), E_NOT_DELIVERED.
    public fun draw_reserved(
        settler: &signer,
        pool: Object<Pool>,
        id: vector<u8>,
        amount: u64
    ): FungibleAsset acquires Pool {
        assert_open(pool);
        assert_settler(settler, pool);
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        let state = write(pool);
        take_loss(pool, state);
        let held = end_reservation(state, id);
        assert!(amount <= held, error::invalid_argument(E_ABOVE_RESERVATION));
        assert!(amount <= state.total, error::resource_exhausted(E_NOT_AVAILABLE));
        if (amount < held) emit_released(pool, id, held - amount, state.reserved + amount);
        take_out(pool, state, id, amount)
    }

    /// Puts an asset into the pool for nobody in particular: every share is worth more. In a pool without
    /// shares it is the operator's. Returns the amount. Aborts E_PAUSED, E_POOL_PAUSED, E_ZERO,
    /// E_NOT_DELIVERED, and fungible_asset's EFUNGIBLE_ASSET_AND_STORE_MISMATCH on another asset.
    public fun put(pool: Object<Pool>, asset: FungibleAsset): u64 acquires Pool {
        assert_open(pool);
        let amount = fungible_asset::amount(&asset);
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        deposit_exactly(read(pool).funds, asset, amount);
        let state = write(pool);
        let total_before = state.total;
        state.total += amount;
        event::emit(
            PutIn {
                pool: object::object_address(&pool),
                amount,
                total_before,
                total_after: state.total
            }
        );
        give_operator(pool, state);
        amount
    }

    // Entry functions

    /// As `create_pool`, for a pool outside a corridor; the liquidity manager who makes it is its settler.
    /// Aborts governance's E_NOT_IN_ROLE besides.
    public entry fun create(
        creator: &signer,
        g: Object<Governance>,
        r: Object<Registry>,
        asset: Object<Metadata>,
        operator: address,
        seed: vector<u8>
    ) {
        governance::assert_not_paused(g);
        governance::assert_role(
            g, signer::address_of(creator), governance::role_liquidity_manager()
        );
        create_pool(creator, g, r, asset, operator, seed);
    }

    /// The operator lets an account provide, and so share its gains and losses. A repeat does nothing.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_NOT_OPERATOR.
    public entry fun admit(
        operator: &signer, pool: Object<Pool>, provider: address
    ) acquires Pool {
        assert_open(pool);
        assert_operator(operator, pool);
        if (may_provide(pool, provider)) return;
        let state = write(pool);
        table::add(&mut state.admitted, provider, true);
        event::emit(
            ProviderAdmitted {
                pool: object::object_address(&pool),
                operator: state.operator,
                provider
            }
        );
    }

    /// The operator lets an account provide no longer; its shares and fees stay its own. Goes on while
    /// paused. A repeat does nothing. Aborts E_NOT_OPERATOR.
    public entry fun dismiss(
        operator: &signer, pool: Object<Pool>, provider: address
    ) acquires Pool {
        assert_operator(operator, pool);
        let state = write(pool);
        if (!table::contains(&state.admitted, provider)) return;
        table::remove(&mut state.admitted, provider);
        event::emit(
            ProviderDismissed {
                pool: object::object_address(&pool),
                operator: state.operator,
                provider
            }
        );
    }

    /// As `provide_liquidity`.
    public entry fun provide(
        provider: &signer, pool: Object<Pool>, amount: u64
    ) acquires Pool {
        provide_liquidity(provider, pool, amount);
    }

    /// As `withdraw_liquidity`.
    public entry fun withdraw(
        provider: &signer, pool: Object<Pool>, shares: u64
    ) acquires Pool {
        withdraw_liquidity(provider, pool, shares);
    }

    /// As `exit`.
    public entry fun emergency_exit(provider: &signer, pool: Object<Pool>) acquires Pool {
        exit(provider, pool);
    }

    /// Somebody, as a rule the operator, makes good what settlement drew: as `put`, and no shares are made.
    /// Aborts E_BARRED besides.
    public entry fun replenish(
        payer: &signer, pool: Object<Pool>, amount: u64
    ) acquires Pool {
        assert_open(pool);
        assert_clear(pool, signer::address_of(payer));
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        put(pool, primary_fungible_store::withdraw(payer, asset(pool), amount));
    }

    /// Pays fees in and divides them among those who provide at this moment, by shares, exactly: what
    /// cannot be divided is kept for the next time.
    /// Aborts E_PAUSED, E_POOL_PAUSED, E_BARRED, E_ZERO, E_NO_PROVIDERS, E_NOT_DELIVERED.
    public entry fun add_fees(
        payer: &signer, pool: Object<Pool>, amount: u64
    ) acquires Pool {
        let who = signer::address_of(payer);
        assert_open(pool);
        assert_clear(pool, who);
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        assert!(shares(pool) > 0, error::invalid_state(E_NO_PROVIDERS));
        let paid = primary_fungible_store::withdraw(payer, asset(pool), amount);
        deposit_exactly(read(pool).fees, paid, amount);
        let state = write(pool);
        divide(state, amount);
        let held_before = state.fees_held;
        state.fees_held += amount;
        event::emit(
            FeesAdded {
                pool: object::object_address(&pool),
                payer: who,
                amount,
                held_before,
                held_after: state.fees_held
            }
        );
    }

    /// As `take_fees`.
    public entry fun claim_fees(provider: &signer, pool: Object<Pool>) acquires Pool {
        take_fees(provider, pool);
    }

    /// As `reserve`, for a settler that is an account.
    public entry fun reserve_entry(
        settler: &signer,
        pool: Object<Pool>,
        id: vector<u8>,
        amount: u64
    ) acquires Pool {
        reserve(settler, pool, id, amount);
    }

    /// As `release`, for a settler that is an account.
    public entry fun release_entry(
        settler: &signer, pool: Object<Pool>, id: vector<u8>
    ) acquires Pool {
        release(settler, pool, id);
    }

    /// A pauser stops this pool alone. A repeat does nothing. Aborts governance's E_NOT_IN_ROLE.
    public entry fun pause_pool(pauser: &signer, pool: Object<Pool>) acquires Pool {
        let by = signer::address_of(pauser);
        let state = write(pool);
        governance::assert_role(state.governance, by, governance::role_pauser());
        if (state.paused) return;
        state.paused = true;
        event::emit(PoolPaused { pool: object::object_address(&pool), by });
    }

    /// The owner of the governance, and no pauser, lets the pool go on. A repeat does nothing.
    /// Aborts governance's E_NOT_OWNER.
    public entry fun unpause_pool(owner: &signer, pool: Object<Pool>) acquires Pool {
        let by = signer::address_of(owner);
        let state = write(pool);
        governance::assert_owner(state.governance, by);
        if (!state.paused) return;
        state.paused = false;
        event::emit(PoolUnpaused { pool: object::object_address(&pool), by });
    }

    // Internal: who may

    inline fun read(pool: Object<Pool>): &Pool {
        &Pool[object::object_address(&pool)]
    }

    inline fun write(pool: Object<Pool>): &mut Pool {
        &mut Pool[object::object_address(&pool)]
    }

    fun assert_open(pool: Object<Pool>) acquires Pool {
        let state = read(pool);
        governance::assert_not_paused(state.governance);
        assert!(!state.paused, error::invalid_state(E_POOL_PAUSED));
    }

    fun assert_clear(pool: Object<Pool>, who: address) acquires Pool {
        compliance::assert_clear(read(pool).registry, who);
    }

    fun assert_settler(settler: &signer, pool: Object<Pool>) acquires Pool {
        assert!(
            read(pool).settler == signer::address_of(settler),
            error::permission_denied(E_NOT_SETTLER)
        );
    }

    fun assert_operator(operator: &signer, pool: Object<Pool>) acquires Pool {
        assert!(
            read(pool).operator == signer::address_of(operator),
            error::permission_denied(E_NOT_OPERATOR)
        );
    }

    // Internal: shares

    /// More can be reserved than there is once a loss was taken.
    fun free_of(state: &Pool): u64 {
        if (state.total > state.reserved) state.total - state.reserved else 0
    }

    /// Writes down what an issuer took from the store: else those who leave first would leave the whole
    /// loss to the last, and to those who come after them.
    fun take_loss(pool: Object<Pool>, state: &mut Pool) {
        let (balance, total_before) = (fungible_asset::balance(state.funds), state.total);
        if (balance >= total_before) return;
        state.total = balance;
        event::emit(
            LossTaken {
                pool: object::object_address(&pool),
                total_before,
                total_after: balance
            }
        );
    }

    fun part_of(amount: u64, shares: u64, shares_all: u64): u64 {
        (((amount as u128) * (shares as u128) / (shares_all as u128)) as u64)
    }

    /// What an amount buys. Whoever made shares dear by putting into a pool of few shares would earn by
    /// the rounding of those who come later, so rounding has a bound.
    fun shares_for(state: &Pool, amount: u64): u64 {
        if (state.shares == 0) return amount;
        assert!(state.total > 0, error::invalid_state(E_DRAINED));
        let bought = (amount as u128) * (state.shares as u128);
        let minted = bought / (state.total as u128);
        assert!(
            minted <= SHARES_MAX - (state.shares as u128), error::invalid_state(E_DRAINED)
        );
        let lost = bought % (state.total as u128);
        assert!(lost <= bought / LOSS_PARTS, error::invalid_argument(E_ROUNDED_AWAY));
        (minted as u64)
    }

    fun give_shares(state: &mut Pool, who: address, shares: u64) {
        state.shares += shares;
        let position = table::borrow_mut(&mut state.positions, who);
        position.shares += shares;
    }

    fun take_shares(state: &mut Pool, who: address, shares: u64) {
        accrue(state, who);
        state.shares -= shares;
        let position = table::borrow_mut(&mut state.positions, who);
        position.shares -= shares;
        tidy(state, who);
    }

    /// Without this, the next to provide a single unit would own all of what nobody has a share in.
    fun give_operator(pool: Object<Pool>, state: &mut Pool) {
        if (state.shares > 0 || state.total == 0) return;
        let (operator, shares) = (state.operator, state.total);
        accrue(state, operator);
        give_shares(state, operator, shares);
        event::emit(OperatorGiven { pool: object::object_address(&pool), operator, shares });
    }

    // Internal: fees

    fun divide(state: &mut Pool, amount: u64) {
        let undivided = ((amount as u256) << FEE_SHIFT) + (state.fee_carry as u256);
        let shares = (state.shares as u256);
        state.fee_index += undivided / shares;
        state.fee_carry = ((undivided % shares) as u128);
    }

    /// All that a provider has earned and not claimed, in units of 2^-64.
    fun earned_by(state: &Pool, position: &Position): u256 {
        ((position.fees_due as u256) << FEE_SHIFT)
            + (position.fee_fraction as u256)
            + (state.fee_index - position.fee_index) * (position.shares as u256)
    }

    /// What is due in whole units, what is left below one, and what of the carry made a unit whole, the
    /// latter two in units of 2^-64. Dividing leaves less than one such unit a share in the carry; whom no
    /// more than that keeps from a whole unit gets it from there, else a lone provider would wait for the
    /// last unit of what is all its own.
    fun fees_of(state: &Pool, position: &Position): (u64, u128, u128) {
        let earned = earned_by(state, position);
        let whole = ((earned >> FEE_SHIFT) as u64);
        let fraction = ((earned & FEE_MASK) as u128);
        let lack = FEE_UNIT - fraction;
        if (lack <= state.fee_carry && lack <= (state.shares as u128)) (whole + 1, 0, lack)
        else (whole, fraction, 0)
    }

    /// Brings a provider's fees up to date; must come before any change of its shares.
    fun accrue(state: &mut Pool, who: address) {
        let fee_index = state.fee_index;
        if (!table::contains(&state.positions, who)) {
            table::add(
                &mut state.positions,
                who,
                Position { shares: 0, fee_index, fees_due: 0, fee_fraction: 0 }
            );
        };
        let (fees_due, fee_fraction, from_carry) =
            fees_of(state, table::borrow(&state.positions, who));
        state.fee_carry -= from_carry;
        let position = table::borrow_mut(&mut state.positions, who);
        position.fee_index = fee_index;
        position.fees_due = fees_due;
        position.fee_fraction = fee_fraction;
    }

    /// Deletes a position of nothing; its fraction of a unit goes back to all.
    fun tidy(state: &mut Pool, who: address) {
        let position = table::borrow(&state.positions, who);
        if (position.shares > 0 || position.fees_due > 0) return;
        let Position { shares: _, fee_index: _, fees_due: _, fee_fraction } =
            table::remove(&mut state.positions, who);
        state.fee_carry += fee_fraction;
    }

    // Internal: reservations

    fun end_reservation(state: &mut Pool, id: vector<u8>): u64 {
        assert!(
            table::contains(&state.reservations, id), error::not_found(E_NO_RESERVATION)
        );
        let amount = table::remove(&mut state.reservations, id);
        state.reserved -= amount;
        amount
    }

    fun emit_released(
        pool: Object<Pool>,
        id: vector<u8>,
        amount: u64,
        reserved_after: u64
    ) {
        event::emit(
            Released {
                pool: object::object_address(&pool),
                id,
                amount,
                reserved_before: reserved_after + amount,
                reserved_after
            }
        );
    }

    // Internal: the asset

    /// A store on an object of its own. The pool owns it, and so only the pool's signer may take from it.
    fun create_store(
        pool_signer: &signer, seed: vector<u8>, asset: Object<Metadata>
    ): Object<FungibleStore> {
        fungible_asset::create_store(
            &object::create_named_object(pool_signer, seed), asset
        )
    }

    /// Deposits, and believes the balance alone. An asset that called back into a pool from within its
    /// deposit would be found out here too.
    fun deposit_exactly(
        store: Object<FungibleStore>, asset: FungibleAsset, amount: u64
    ) {
        let before = fungible_asset::balance(store);
        dispatchable_fungible_asset::deposit(store, asset);
        assert_delivered(fungible_asset::balance(store) - before, amount);
    }

    fun withdraw_exactly(
        state: &Pool, store: Object<FungibleStore>, amount: u64
    ): FungibleAsset {
        let pool_signer = object::generate_signer_for_extending(&state.extend_ref);
        let before = fungible_asset::balance(store);
        let asset = dispatchable_fungible_asset::withdraw(&pool_signer, store, amount);
        assert_delivered(fungible_asset::amount(&asset), amount);
        assert_delivered(before - fungible_asset::balance(store), amount);
        asset
    }

    fun assert_delivered(moved: u64, asked: u64) {
        assert!(moved == asked, error::aborted(E_NOT_DELIVERED));
    }

    fun pay_out(
        state: &Pool,
        store: Object<FungibleStore>,
        to: address,
        amount: u64
    ) {
        if (amount == 0) return;
        primary_fungible_store::deposit(to, withdraw_exactly(state, store, amount));
    }

    fun take_out(
        pool: Object<Pool>, state: &mut Pool, id: vector<u8>, amount: u64
    ): FungibleAsset {
        let total_before = state.total;
        state.total -= amount;
        event::emit(
            Drawn {
                pool: object::object_address(&pool),
                id,
                amount,
                total_before,
                total_after: state.total
            }
        );
        withdraw_exactly(state, state.funds, amount)
    }

    // Test only

    #[test_only]
    /// What could not be divided yet, in units of 2^-64.
    public fun fee_carry_for_test(pool: Object<Pool>): u128 acquires Pool {
        read(pool).fee_carry
    }

    #[test_only]
    /// All that a provider has earned and not claimed, in units of 2^-64.
    public fun earned_for_test(pool: Object<Pool>, who: address): u256 acquires Pool {
        let state = read(pool);
        if (!table::contains(&state.positions, who)) return 0;
        earned_by(state, table::borrow(&state.positions, who))
    }
}

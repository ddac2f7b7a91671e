/// What pools promise, for the Move prover. The compiler of `make move` reads and type-checks it; to prove it
/// is for the Aptos CLI (`aptos move prove`).
spec capp_liquidity::liquidity {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: What nobody has a share in is nothing: no pool has money without shares.
    /// Criticality: Critical
    /// Implementation: What would be left without shares is made the operator's in the same call.
    /// Enforcement: [high-level-req-1](NobodysMoney).
    ///
    /// No.: 2
    /// Requirement: Only the settler reserves, releases and draws.
    /// Criticality: Critical
    /// Implementation: Each asks assert_settler for the address that signs.
    /// Enforcement: [high-level-req-2](SettlerOnly).
    ///
    /// No.: 3
    /// Requirement: Only the operator and those it admits provide.
    /// Criticality: High
    /// Implementation: provide_liquidity asks may_provide.
    /// Enforcement: [high-level-req-3](provide_liquidity).
    ///
    /// No.: 4
    /// Requirement: What is reserved is neither withdrawn nor drawn by others.
    /// Criticality: Critical
    /// Implementation: Amounts are compared with free_of, which leaves the reserved out.
    /// Enforcement: [high-level-req-4](free_of), and the unit tests.
    ///
    /// No.: 5
    /// Requirement: A pool stops when it is paused or its governance is; an exit goes on.
    /// Criticality: High
    /// Implementation: Every mutating function but exit, dismiss and the pause itself asks assert_open.
    /// Enforcement: [high-level-req-5](Open).
    ///
    /// No.: 6
    /// Requirement: Fees are neither made nor lost, to the last unit and the fraction below it.
    /// Criticality: High
    /// Implementation: What cannot be divided is carried, what is taken from the carry is deducted there.
    /// Enforcement: [high-level-req-6](fees_of), and the audit of the unit tests after every step.
    /// </high-level-req>
    spec module {
        pragma verify = true;
        // Assets of other people abort for reasons of their own, so what is here is said to be a part.
        pragma aborts_if_is_partial;
    }

    // Words used below

    spec fun at(pool: Object<Pool>): address {
        object::object_address(pool)
    }

    spec fun the(pool: Object<Pool>): Pool {
        global<Pool>(at(pool))
    }

    spec fun is_free(state: Pool): u64 {
        if (state.total > state.reserved) state.total - state.reserved else 0
    }

    spec fun has_position(pool: Object<Pool>, who: address): bool {
        table::spec_contains(the(pool).positions, who)
    }

    spec schema Exists {
        pool: Object<Pool>;
        aborts_if !exists<Pool>(at(pool));
    }

    /// [high-level-req-5]
    spec schema Open {
        pool: Object<Pool>;
        include Exists;
        aborts_if governance::is_paused(the(pool).governance);
        /// E_POOL_PAUSED
        aborts_if the(pool).paused;
    }

    /// [high-level-req-2]
    spec schema SettlerOnly {
        pool: Object<Pool>;
        settler: signer;
        include Open;
        /// E_NOT_SETTLER
        aborts_if the(pool).settler != signer::address_of(settler);
    }

    /// [high-level-req-1]
    spec schema NobodysMoney {
        pool: Object<Pool>;
        ensures the(pool).shares == 0 ==> the(pool).total == 0;
    }

    spec schema KeepsWhoMay {
        pool: Object<Pool>;
        ensures the(pool).settler == old(the(pool).settler);
        ensures the(pool).operator == old(the(pool).operator);
        ensures the(pool).governance == old(the(pool).governance);
        ensures the(pool).registry == old(the(pool).registry);
        ensures the(pool).asset == old(the(pool).asset);
    }

    spec schema KeepsShares {
        pool: Object<Pool>;
        ensures the(pool).shares == old(the(pool).shares);
    }

    // Views

    spec total(pool: Object<Pool>): u64 {
        include Exists;
        ensures result == the(pool).total;
    }

    spec reserved(pool: Object<Pool>): u64 {
        include Exists;
        ensures result == the(pool).reserved;
    }

    spec available(pool: Object<Pool>): u64 {
        include Exists;
        ensures result == is_free(the(pool));
    }

    spec shares(pool: Object<Pool>): u64 {
        include Exists;
        ensures result == the(pool).shares;
    }

    spec shares_of(pool: Object<Pool>, who: address): u64 {
        include Exists;
        ensures !has_position(pool, who) ==> result == 0;
        ensures has_position(pool, who) ==>
            result == table::spec_get(the(pool).positions, who).shares;
    }

    spec fees_due(pool: Object<Pool>, who: address): u64 {
        include Exists;
        ensures !has_position(pool, who) ==> result == 0;
    }

    spec is_pool_paused(pool: Object<Pool>): bool {
        include Exists;
        ensures result == the(pool).paused;
    }

    spec may_provide(pool: Object<Pool>, who: address): bool {
        include Exists;
        ensures result == (
            who == the(pool).operator || table::spec_contains(the(pool).admitted, who)
        );
    }

    // Providers

    spec admit(operator: &signer, pool: Object<Pool>, provider: address) {
        include Open;
        include KeepsWhoMay;
        include KeepsShares;
        /// E_NOT_OPERATOR
        aborts_if the(pool).operator != signer::address_of(operator);
    }

    spec dismiss(operator: &signer, pool: Object<Pool>, provider: address) {
        include Exists;
        include KeepsWhoMay;
        include KeepsShares;
        /// E_NOT_OPERATOR
        aborts_if the(pool).operator != signer::address_of(operator);
        ensures !table::spec_contains(the(pool).admitted, provider);
    }

    spec provide_liquidity(provider: &signer, pool: Object<Pool>, amount: u64): u64 {
        include Open;
        include KeepsWhoMay;
        include NobodysMoney;
        /// E_NOT_ADMITTED, [high-level-req-3]
        aborts_if signer::address_of(provider) != the(pool).operator
            && !table::spec_contains(the(pool).admitted, signer::address_of(provider));
        /// E_ZERO
        aborts_if amount == 0;
        ensures the(pool).shares == old(the(pool).shares) + result;
        ensures old(the(pool).shares) == 0 ==> result == amount;
    }

    spec withdraw_liquidity(provider: &signer, pool: Object<Pool>, shares: u64): u64 {
        include Open;
        include KeepsWhoMay;
        include NobodysMoney;
        /// E_ZERO
        aborts_if shares == 0;
        ensures the(pool).shares == old(the(pool).shares) - shares;
        ensures the(pool).reserved == old(the(pool).reserved);
    }

    spec exit(provider: &signer, pool: Object<Pool>): u64 {
        include Exists;
        include KeepsWhoMay;
        include NobodysMoney;
        ensures result > 0;
        ensures the(pool).reserved == old(the(pool).reserved);
    }

    spec take_fees(provider: &signer, pool: Object<Pool>): u64 {
        include Open;
        include KeepsWhoMay;
        include KeepsShares;
        ensures the(pool).fees_held == old(the(pool).fees_held) - result;
        ensures the(pool).total == old(the(pool).total);
    }

    spec add_fees(payer: &signer, pool: Object<Pool>, amount: u64) {
        include Open;
        include KeepsWhoMay;
        include KeepsShares;
        /// E_ZERO
        aborts_if amount == 0;
        /// E_NO_PROVIDERS
        aborts_if the(pool).shares == 0;
        ensures the(pool).fees_held == old(the(pool).fees_held) + amount;
        ensures the(pool).total == old(the(pool).total);
    }

    // Settler

    spec reserve(settler: &signer, pool: Object<Pool>, id: vector<u8>, amount: u64) {
        include SettlerOnly;
        include KeepsWhoMay;
        include KeepsShares;
        /// E_ID_LENGTH
        aborts_if len(id) == 0 || len(id) > ID_BYTES_MAX;
        /// E_ZERO
        aborts_if amount == 0;
        /// E_RESERVATION_EXISTS
        aborts_if table::spec_contains(the(pool).reservations, id);
        ensures the(pool).reserved == old(the(pool).reserved) + amount;
        ensures the(pool).reserved <= the(pool).total;
    }

    spec release(settler: &signer, pool: Object<Pool>, id: vector<u8>): u64 {
        include SettlerOnly;
        include KeepsWhoMay;
        include KeepsShares;
        /// E_NO_RESERVATION
        aborts_if !table::spec_contains(the(pool).reservations, id);
        ensures the(pool).reserved == old(the(pool).reserved) - result;
        ensures the(pool).total == old(the(pool).total);
    }

    spec draw(settler: &signer, pool: Object<Pool>, amount: u64): FungibleAsset {
        include SettlerOnly;
        include KeepsWhoMay;
        include KeepsShares;
        /// E_ZERO
        aborts_if amount == 0;
        /// [high-level-req-4]
        ensures the(pool).reserved == old(the(pool).reserved);
        ensures the(pool).reserved <= the(pool).total;
    }

    spec draw_reserved(
        settler: &signer,
        pool: Object<Pool>,
        id: vector<u8>,
        amount: u64
    ): FungibleAsset {
        include SettlerOnly;
        include KeepsWhoMay;
        include KeepsShares;
        /// E_ZERO
        aborts_if amount == 0;
        /// E_NO_RESERVATION
        aborts_if !table::spec_contains(the(pool).reservations, id);
        /// E_ABOVE_RESERVATION
        aborts_if amount > table::spec_get(the(pool).reservations, id);
        ensures !table::spec_contains(the(pool).reservations, id);
    }

    spec put(pool: Object<Pool>, asset: FungibleAsset): u64 {
        include Open;
        include KeepsWhoMay;
        include NobodysMoney;
        ensures the(pool).total == old(the(pool).total) + result;
    }

    // Internal

    spec free_of(state: &Pool): u64 {
        pragma aborts_if_is_strict;
        aborts_if false;
        /// [high-level-req-4]
        ensures result == is_free(state);
    }

    spec part_of(amount: u64, shares: u64, shares_all: u64): u64 {
        /// Rounded down: nobody gets more than its part.
        ensures result * shares_all <= amount * shares;
        ensures (result + 1) * shares_all > amount * shares;
    }

    spec shares_for(state: &Pool, amount: u64): u64 {
        /// E_DRAINED
        aborts_if state.shares > 0 && state.total == 0;
        ensures state.shares == 0 ==> result == amount;
        /// Rounded down: the worth of the shares of others never falls.
        ensures state.shares > 0 ==> result * state.total <= amount * state.shares;
        /// E_ROUNDED_AWAY: no more than a thousandth is lost.
        ensures state.shares > 0 ==>
            (amount * state.shares - result * state.total) * LOSS_PARTS <= amount * state.shares;
    }

    spec fees_of(state: &Pool, position: &Position): (u64, u128, u128) {
        /// [high-level-req-6]
        ensures result_1 * FEE_UNIT + result_2 == earned_by(state, position) + result_3;
        ensures result_2 < FEE_UNIT;
        ensures result_3 <= state.fee_carry;
    }

    spec assert_delivered(moved: u64, asked: u64) {
        pragma aborts_if_is_strict;
        /// E_NOT_DELIVERED
        aborts_if moved != asked;
    }
}

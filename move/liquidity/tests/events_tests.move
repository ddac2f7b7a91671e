#[test_only]
/// What events say, byte by byte: their fields in order, as BCS.
module capp_liquidity::events_tests {
    use std::bcs;
    use aptos_framework::event;
    use aptos_framework::object::{Self, Object};
    use capp_liquidity::liquidity::{Self, Pool};
    use capp_liquidity::stage::{Self, Stage};

    const ADA: address = @0xada;

    /// Ada has 2,000 shares, which are worth 3,000.
    fun pool(): (Stage, Object<Pool>) {
        let stage = stage::set();
        let pool = stage.pool();
        liquidity::provide(&stage.rich(ADA, 2_000), pool, 2_000);
        liquidity::put(pool, stage.minted(1_000));
        (stage, pool)
    }

    /// The last event of a kind says the addresses, then the texts of bytes, then the numbers.
    fun says<T: drop + store>(
        addresses: vector<address>, bytes: vector<vector<u8>>, numbers: vector<u64>
    ) {
        let expected = vector[];
        addresses.for_each_ref(|part| expected.append(bcs::to_bytes(part)));
        bytes.for_each_ref(|part| expected.append(bcs::to_bytes(part)));
        numbers.for_each_ref(|part| expected.append(bcs::to_bytes(part)));
        let told = event::emitted_events<T>();
        assert!(bcs::to_bytes(&told[told.length() - 1]) == expected);
    }

    #[test]
    fun a_new_pool_is_told() {
        let stage = stage::set();
        let pool = stage.pool();
        says<liquidity::PoolCreated>(
            vector[
                object::object_address(&pool),
                object::object_address(&stage.governance()),
                object::object_address(&stage.registry()),
                object::object_address(&stage.asset()),
                @0xa3,
                @0xa4,
                liquidity::funds_of(pool),
                liquidity::fee_store_of(pool)
            ],
            vector[],
            vector[]
        );
        says<liquidity::ProviderAdmitted>(
            vector[object::object_address(&pool), @0xa4, @0xe4e], vector[], vector[]
        );
        liquidity::dismiss(&stage::operator(), pool, ADA);
        says<liquidity::ProviderDismissed>(
            vector[object::object_address(&pool), @0xa4, ADA], vector[], vector[]
        );
    }

    #[test]
    fun providing_putting_in_and_withdrawing_are_told_with_before_and_after() {
        let (stage, pool) = pool();
        let at = object::object_address(&pool);
        says<liquidity::PutIn>(vector[at], vector[], vector[1_000, 2_000, 3_000]);
        liquidity::provide(&stage.rich(@0xb0b, 1_500), pool, 1_500);
        says<liquidity::Provided>(
            vector[at, @0xb0b], vector[], vector[1_500, 1_000, 3_000, 4_500, 2_000, 3_000]
        );
        liquidity::withdraw(&stage::somebody(ADA), pool, 500);
        says<liquidity::Withdrawn>(
            vector[at, ADA], vector[], vector[750, 500, 4_500, 3_750, 3_000, 2_500]
        );
    }

    #[test]
    fun an_exit_a_loss_and_what_becomes_the_operators_are_told() {
        let (stage, pool) = pool();
        let at = object::object_address(&pool);
        liquidity::reserve(&stage::settler(), pool, b"id", 400);
        stage.seize(liquidity::funds_of(pool), 600);
        liquidity::emergency_exit(&stage::somebody(ADA), pool);
        says<liquidity::LossTaken>(vector[at], vector[], vector[3_000, 2_400]);
        says<liquidity::EmergencyExited>(
            vector[at, ADA], vector[], vector[2_000, 2_000, 2_400, 400, 2_000, 0]
        );
        says<liquidity::OperatorGiven>(vector[at, @0xa4], vector[], vector[400]);
    }

    #[test]
    fun fees_are_told_with_before_and_after() {
        let (stage, pool) = pool();
        let at = object::object_address(&pool);
        let payer = stage.rich(@0xe4e, 70);
        liquidity::add_fees(&payer, pool, 20);
        liquidity::add_fees(&payer, pool, 50);
        says<liquidity::FeesAdded>(vector[at, @0xe4e], vector[], vector[50, 20, 70]);
        liquidity::claim_fees(&stage::somebody(ADA), pool);
        says<liquidity::FeesClaimed>(vector[at, ADA], vector[], vector[70, 70, 0]);
    }

    #[test]
    fun reservations_and_draws_are_told_with_before_and_after() {
        let (_stage, pool) = pool();
        let at = object::object_address(&pool);
        let settler = stage::settler();
        liquidity::reserve(&settler, pool, b"one", 100);
        liquidity::reserve(&settler, pool, b"two", 300);
        says<liquidity::Reserved>(vector[at], vector[b"two"], vector[300, 100, 400]);
        stage::bank(@0xe4e, liquidity::draw_reserved(&settler, pool, b"two", 120));
        says<liquidity::Released>(vector[at], vector[b"two"], vector[180, 400, 220]);
        says<liquidity::Drawn>(vector[at], vector[b"two"], vector[120, 3_000, 2_880]);
        liquidity::release(&settler, pool, b"one");
        says<liquidity::Released>(vector[at], vector[b"one"], vector[100, 100, 0]);
        stage::bank(@0xe4e, liquidity::draw(&settler, pool, 80));
        says<liquidity::Drawn>(vector[at], vector[b""], vector[80, 2_880, 2_800]);
    }

    #[test]
    fun pausing_and_going_on_are_told() {
        let (_stage, pool) = pool();
        let at = object::object_address(&pool);
        liquidity::pause_pool(&stage::pauser(), pool);
        says<liquidity::PoolPaused>(vector[at, @0xa1], vector[], vector[]);
        liquidity::unpause_pool(&stage::owner(), pool);
        says<liquidity::PoolUnpaused>(vector[at, @0xa0], vector[], vector[]);
    }
}

#[test_only]
module capp_liquidity::liquidity_tests {
    use aptos_framework::event;
    use aptos_framework::fungible_asset;
    use aptos_framework::object::{Self, Object};
    use capp_compliance::compliance;
    use capp_governance::governance;
    use capp_liquidity::liquidity::{Self, Pool};
    use capp_liquidity::stage::{Self, Stage};

    const ADA: address = @0xada;
    const BOB: address = @0xb0b;
    const EVE: address = @0xe4e;

    fun pool_with(amount: u64): (Stage, Object<Pool>) {
        let stage = stage::set();
        let pool = stage.pool();
        liquidity::provide(&stage.rich(ADA, amount), pool, amount);
        (stage, pool)
    }

    fun draw_to(who: address, pool: Object<Pool>, amount: u64) {
        stage::bank(who, liquidity::draw(&stage::settler(), pool, amount));
    }

    fun everybody(): vector<address> {
        vector[ADA, BOB, EVE, @0xa4]
    }

    // Making a pool

    #[test]
    fun a_new_pool_is_empty_and_tells_whose_it_is() {
        let stage = stage::set();
        let pool = stage.pool();
        assert!(liquidity::total(pool) == 0 && liquidity::reserved(pool) == 0);
        assert!(liquidity::shares(pool) == 0 && liquidity::available(pool) == 0);
        assert!(liquidity::fees_held(pool) == 0 && !liquidity::is_pool_paused(pool));
        assert!(liquidity::settler(pool) == @0xa3 && liquidity::operator(pool) == @0xa4);
        assert!(liquidity::asset(pool) == stage.asset());
        assert!(liquidity::governance_of(pool) == stage.governance());
        assert!(liquidity::shares_of(pool, ADA) == 0 && liquidity::fees_due(pool, ADA) == 0);
        assert!(event::emitted_events<liquidity::PoolCreated>().length() == 1);
    }

    #[test]
    fun stores_lie_where_seeds_say() {
        let stage = stage::set();
        let pool = stage.pool();
        let at = object::object_address(&pool);
        assert!(liquidity::funds_of(pool) == object::create_object_address(&at, b"funds"));
        assert!(liquidity::fee_store_of(pool) == object::create_object_address(&at, b"fees"));
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun a_pool_outside_a_corridor_needs_the_manager() {
        let stage = stage::set();
        liquidity::create(
            &stage::somebody(EVE), stage.governance(), stage.registry(), stage.asset(), EVE, b"mine"
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun no_pool_is_made_while_paused() {
        let stage = stage::set();
        stage.pause();
        stage.pool();
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun a_pause_comes_before_the_role_of_who_makes_a_pool() {
        let stage = stage::set();
        stage.pause();
        liquidity::create(
            &stage::somebody(EVE), stage.governance(), stage.registry(), stage.asset(), EVE, b"mine"
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun no_pool_is_made_for_a_corridor_while_paused() {
        let stage = stage::set();
        stage.pause();
        liquidity::create_pool(
            &stage::settler(), stage.governance(), stage.registry(), stage.asset(), ADA, b"new"
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x10003, location = capp_liquidity::liquidity)]
    fun a_registry_of_another_governance_is_refused() {
        let stage = stage::set();
        let eve = stage::somebody(EVE);
        let other = governance::create_governance(&eve, b"other");
        let registry = compliance::create_registry(&eve, other, b"other book");
        liquidity::create_pool(
            &stage::settler(), stage.governance(), registry, stage.asset(), ADA, b"new"
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_liquidity::liquidity)]
    fun a_pool_has_an_operator() {
        let stage = stage::set();
        liquidity::create_pool(
            &stage::settler(), stage.governance(), stage.registry(), stage.asset(), @0x0, b"new"
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x80001, location = aptos_framework::object)]
    fun a_pool_is_made_once() {
        let stage = stage::set();
        stage.pool();
        stage.pool();
    }

    #[test]
    #[expected_failure(abort_code = 0x50008, location = aptos_framework::fungible_asset)]
    fun who_made_a_pool_cannot_empty_its_store_past_it() {
        let (_stage, pool) = pool_with(1_000);
        let funds =
            object::address_to_object<fungible_asset::FungibleStore>(liquidity::funds_of(pool));
        stage::bank(EVE, fungible_asset::withdraw(&stage::settler(), funds, 1_000));
    }

    #[test]
    fun nobody_owns_the_object_of_a_pool() {
        let (_stage, pool) = pool_with(1_000);
        assert!(object::owner(pool) == @0x0);
    }

    // Who may provide

    #[test]
    fun the_operator_and_those_it_admits_may_provide() {
        let stage = stage::set();
        let pool = stage.pool();
        assert!(liquidity::may_provide(pool, @0xa4) && liquidity::may_provide(pool, ADA));
        assert!(!liquidity::may_provide(pool, @0xdad) && !liquidity::may_provide(pool, @0xa3));
        liquidity::provide(&stage.rich(@0xa4, 5), pool, 5);
        assert!(liquidity::shares_of(pool, @0xa4) == 5);
        assert!(event::emitted_events<liquidity::ProviderAdmitted>().length() == 3);
    }

    #[test]
    fun who_is_dismissed_keeps_what_it_has() {
        let (stage, pool) = pool_with(1_000);
        let operator = stage::operator();
        liquidity::dismiss(&operator, pool, ADA);
        assert!(!liquidity::may_provide(pool, ADA));
        liquidity::withdraw(&stage::somebody(ADA), pool, 1_000);
        assert!(stage.purse(ADA) == 1_000);
        assert!(event::emitted_events<liquidity::ProviderDismissed>().length() == 1);
    }

    #[test]
    fun admitting_and_dismissing_again_changes_nothing() {
        let stage = stage::set();
        let pool = stage.pool();
        let operator = stage::operator();
        liquidity::admit(&operator, pool, ADA);
        liquidity::admit(&operator, pool, @0xa4);
        liquidity::dismiss(&operator, pool, @0xa4);
        liquidity::dismiss(&operator, pool, @0xdad);
        assert!(liquidity::may_provide(pool, ADA) && liquidity::may_provide(pool, @0xa4));
        assert!(event::emitted_events<liquidity::ProviderAdmitted>().length() == 3);
        assert!(event::emitted_events<liquidity::ProviderDismissed>().is_empty());
    }

    #[test]
    fun a_provider_is_dismissed_also_while_paused() {
        let (stage, pool) = paused();
        stage.pause();
        liquidity::dismiss(&stage::operator(), pool, ADA);
        assert!(!liquidity::may_provide(pool, ADA));
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nobody_is_admitted_to_a_paused_pool() {
        let (_stage, pool) = paused();
        liquidity::admit(&stage::operator(), pool, @0xdad);
    }

    #[test]
    #[expected_failure(abort_code = 0x50010, location = capp_liquidity::liquidity)]
    fun nobody_admits_itself() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::admit(&stage::somebody(@0xdad), pool, @0xdad);
    }

    #[test]
    #[expected_failure(abort_code = 0x50010, location = capp_liquidity::liquidity)]
    fun only_the_operator_dismisses() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::dismiss(&stage::settler(), pool, ADA);
    }

    #[test]
    #[expected_failure(abort_code = 0x50011, location = capp_liquidity::liquidity)]
    fun a_stranger_buys_no_cheap_shares_after_a_debit() {
        let (stage, pool) = pool_with(1_000);
        draw_to(EVE, pool, 900);
        liquidity::provide(&stage.rich(@0xdad, 100), pool, 100);
    }

    #[test]
    #[expected_failure(abort_code = 0x50011, location = capp_liquidity::liquidity)]
    fun who_is_dismissed_provides_no_more() {
        let (stage, pool) = pool_with(1_000);
        liquidity::dismiss(&stage::operator(), pool, ADA);
        liquidity::provide(&stage.rich(ADA, 1), pool, 1);
    }

    // Providing and withdrawing

    #[test]
    fun the_first_shares_are_one_a_unit() {
        let (stage, pool) = pool_with(1_000);
        assert!(liquidity::total(pool) == 1_000 && liquidity::shares(pool) == 1_000);
        assert!(liquidity::shares_of(pool, ADA) == 1_000);
        assert!(stage.purse(ADA) == 0);
        assert!(event::emitted_events<liquidity::Provided>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun later_shares_are_bought_at_their_worth_rounded_down() {
        let (stage, pool) = pool_with(3_000);
        draw_to(EVE, pool, 1_000);
        let bob = stage.rich(BOB, 1_001);
        assert!(liquidity::provide_liquidity(&bob, pool, 1_001) == 1_501);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun shares_are_paid_out_at_their_worth_rounded_down() {
        let (stage, pool) = pool_with(3_000);
        draw_to(EVE, pool, 1_000);
        let ada = stage::somebody(ADA);
        assert!(liquidity::withdraw_liquidity(&ada, pool, 1_000) == 666);
        assert!(stage.purse(ADA) == 666);
        assert!(liquidity::total(pool) == 1_334 && liquidity::shares(pool) == 2_000);
        assert!(event::emitted_events<liquidity::Withdrawn>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun the_last_shares_take_the_last_unit() {
        let (stage, pool) = pool_with(3_000);
        draw_to(EVE, pool, 1_000);
        let ada = stage::somebody(ADA);
        liquidity::withdraw(&ada, pool, 1_000);
        liquidity::withdraw(&ada, pool, 2_000);
        assert!(stage.purse(ADA) == 2_000);
        assert!(liquidity::total(pool) == 0 && liquidity::shares(pool) == 0);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun worthless_shares_may_be_given_back_and_the_pool_begins_anew() {
        let (stage, pool) = pool_with(1_000);
        draw_to(EVE, pool, 1_000);
        liquidity::withdraw(&stage::somebody(ADA), pool, 1_000);
        let bob = stage.rich(BOB, 50);
        assert!(liquidity::provide_liquidity(&bob, pool, 50) == 50);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun nothing_cannot_be_provided() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::provide(&stage::somebody(BOB), pool, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = aptos_framework::fungible_asset)]
    fun what_one_does_not_have_cannot_be_provided() {
        let (stage, pool) = pool_with(1_000);
        liquidity::provide(&stage.rich(BOB, 10), pool, 11);
    }

    #[test]
    #[expected_failure(abort_code = 0x30006, location = capp_liquidity::liquidity)]
    fun a_drained_pool_cannot_be_provided_to() {
        let (stage, pool) = pool_with(1_000);
        draw_to(EVE, pool, 1_000);
        liquidity::provide(&stage.rich(BOB, 10), pool, 10);
    }

    #[test]
    #[expected_failure(abort_code = 0x30006, location = capp_liquidity::liquidity)]
    fun shares_never_outgrow_their_number() {
        let (stage, pool) = pool_with(10_000_000_000);
        draw_to(EVE, pool, 9_999_999_999);
        liquidity::provide(&stage.rich(BOB, 10_000_000_000), pool, 10_000_000_000);
    }

    #[test]
    fun shares_may_be_as_many_as_their_number_can_tell() {
        let (stage, pool) = pool_with(4_294_967_297);
        draw_to(EVE, pool, 4_294_967_296);
        liquidity::provide(&stage.rich(BOB, 4_294_967_294), pool, 4_294_967_294);
        assert!(liquidity::shares(pool) == 18_446_744_073_709_551_615);
    }

    #[test]
    #[expected_failure(abort_code = 0x30006, location = capp_liquidity::liquidity)]
    fun not_one_share_more_than_their_number_can_tell() {
        let (stage, pool) = pool_with(4_294_967_296);
        draw_to(EVE, pool, 4_294_967_295);
        liquidity::provide(&stage.rich(BOB, 4_294_967_295), pool, 4_294_967_295);
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_liquidity::liquidity)]
    fun who_makes_one_share_dear_cannot_take_what_rounding_leaves() {
        let (stage, pool) = pool_with(1);
        liquidity::put(pool, stage.minted(1_000_000));
        liquidity::provide(&stage.rich(BOB, 1_999_999), pool, 1_999_999);
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_liquidity::liquidity)]
    fun nobody_provides_for_no_share_at_all() {
        let (stage, pool) = pool_with(1);
        liquidity::put(pool, stage.minted(1_000_000));
        liquidity::provide(&stage.rich(BOB, 1_000_000), pool, 1_000_000);
    }

    #[test]
    fun a_dear_share_can_still_be_bought_whole() {
        let (stage, pool) = pool_with(1);
        liquidity::put(pool, stage.minted(1_000_000));
        let bob = stage.rich(BOB, 3_000_003);
        assert!(liquidity::provide_liquidity(&bob, pool, 3_000_003) == 3);
        assert!(liquidity::withdraw_liquidity(&bob, pool, 3) == 3_000_003);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun rounding_may_cost_a_thousandth_and_not_a_unit_more() {
        let (stage, pool) = pool_with(1);
        liquidity::put(pool, stage.minted(999));
        let bob = stage.rich(BOB, 1_000_000);
        assert!(liquidity::provide_liquidity(&bob, pool, 999_000 + 999) == 999);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_liquidity::liquidity)]
    fun rounding_may_not_cost_a_unit_more_than_a_thousandth() {
        let (stage, pool) = pool_with(1);
        liquidity::put(pool, stage.minted(1_001));
        liquidity::provide(&stage.rich(BOB, 1_000_997), pool, 1_000_997);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun no_shares_cannot_be_withdrawn() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::withdraw(&stage::somebody(ADA), pool, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10008, location = capp_liquidity::liquidity)]
    fun more_shares_than_one_has_cannot_be_withdrawn() {
        let (stage, pool) = pool_with(1_000);
        liquidity::provide(&stage.rich(BOB, 10), pool, 10);
        liquidity::withdraw(&stage::somebody(BOB), pool, 11);
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun what_is_reserved_cannot_be_withdrawn() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"id", 400);
        liquidity::withdraw(&stage::somebody(ADA), pool, 601);
    }

    #[test]
    fun all_that_is_not_reserved_can_be_withdrawn() {
        let (stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"id", 400);
        liquidity::withdraw(&stage::somebody(ADA), pool, 600);
        assert!(stage.purse(ADA) == 600 && liquidity::available(pool) == 0);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_frozen_pool_pays_nobody() {
        let (stage, pool) = pool_with(1_000);
        stage.freeze_store(liquidity::funds_of(pool), true);
        liquidity::withdraw(&stage::somebody(ADA), pool, 1);
    }

    // Putting in

    #[test]
    fun what_is_put_in_makes_every_share_worth_more() {
        let (stage, pool) = pool_with(1_000);
        assert!(liquidity::put(pool, stage.minted(500)) == 500);
        assert!(liquidity::total(pool) == 1_500 && liquidity::shares(pool) == 1_000);
        assert!(event::emitted_events<liquidity::PutIn>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun what_an_operator_replenishes_is_the_providers() {
        let (stage, pool) = pool_with(1_000);
        draw_to(EVE, pool, 400);
        let operator = stage.rich(@0xa4, 400);
        liquidity::replenish(&operator, pool, 400);
        assert!(liquidity::shares(pool) == 1_000);
        assert!(liquidity::withdraw_liquidity(&stage::somebody(ADA), pool, 1_000) == 1_000);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun what_nobody_has_a_share_in_is_the_operators() {
        let stage = stage::set();
        let pool = stage.pool();
        liquidity::put(pool, stage.minted(700));
        assert!(liquidity::shares_of(pool, @0xa4) == 700);
        assert!(event::emitted_events<liquidity::OperatorGiven>().length() == 1);
        let eve = stage.rich(EVE, 1);
        liquidity::provide(&eve, pool, 1);
        assert!(liquidity::withdraw_liquidity(&eve, pool, 1) == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun nothing_cannot_be_put_in() {
        let (stage, pool) = pool_with(1_000);
        liquidity::put(pool, fungible_asset::zero(stage.asset()));
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun a_pool_is_not_replenished_with_nothing() {
        let (stage, pool) = pool_with(1_000);
        liquidity::replenish(&stage.rich(BOB, 1), pool, 0);
    }

    // Fees

    #[test]
    fun fees_are_divided_by_shares_to_the_last_unit() {
        let (stage, pool) = pool_with(1);
        liquidity::provide(&stage.rich(BOB, 2), pool, 2);
        let payer = stage.rich(EVE, 10);
        liquidity::add_fees(&payer, pool, 5);
        assert!(liquidity::fees_due(pool, ADA) == 1 && liquidity::fees_due(pool, BOB) == 3);
        liquidity::add_fees(&payer, pool, 4);
        assert!(liquidity::fees_due(pool, ADA) == 3 && liquidity::fees_due(pool, BOB) == 6);
        assert!(liquidity::fees_held(pool) == 9 && liquidity::total(pool) == 3);
        assert!(event::emitted_events<liquidity::FeesAdded>().length() == 2);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun fees_are_claimed_once() {
        let (stage, pool) = pool_with(10);
        liquidity::add_fees(&stage.rich(EVE, 7), pool, 7);
        let ada = stage::somebody(ADA);
        assert!(liquidity::take_fees(&ada, pool) == 7);
        assert!(liquidity::take_fees(&ada, pool) == 0);
        liquidity::claim_fees(&ada, pool);
        assert!(stage.purse(ADA) == 7 && liquidity::fees_held(pool) == 0);
        assert!(event::emitted_events<liquidity::FeesClaimed>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun who_comes_after_the_fees_has_none_of_them() {
        let (stage, pool) = pool_with(10);
        liquidity::add_fees(&stage.rich(EVE, 8), pool, 8);
        liquidity::provide(&stage.rich(BOB, 1_000), pool, 1_000);
        assert!(liquidity::fees_due(pool, BOB) == 0 && liquidity::fees_due(pool, ADA) == 8);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun who_left_still_has_the_fees_of_before() {
        let (stage, pool) = pool_with(8);
        liquidity::add_fees(&stage.rich(EVE, 8), pool, 8);
        let ada = stage::somebody(ADA);
        liquidity::withdraw(&ada, pool, 8);
        liquidity::provide(&stage.rich(BOB, 8), pool, 8);
        liquidity::add_fees(&stage.rich(EVE, 8), pool, 8);
        assert!(liquidity::take_fees(&ada, pool) == 8);
        assert!(liquidity::fees_due(pool, BOB) == 8);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun the_fraction_of_who_left_goes_to_those_who_stay() {
        let (stage, pool) = pool_with(1);
        liquidity::provide(&stage.rich(BOB, 1), pool, 1);
        let payer = stage.rich(EVE, 9);
        liquidity::add_fees(&payer, pool, 1);
        liquidity::withdraw(&stage::somebody(ADA), pool, 1);
        // Bob has a half and the carry has the other, but that is not for him alone to take.
        assert!(liquidity::fees_due(pool, BOB) == 0);
        stage::audit(pool, &everybody());
        liquidity::add_fees(&payer, pool, 1);
        assert!(liquidity::fees_due(pool, BOB) == 2);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun the_fraction_of_who_left_before_claiming_goes_to_all_with_the_claim() {
        let (stage, pool) = pool_with(1);
        liquidity::provide(&stage.rich(BOB, 2), pool, 2);
        liquidity::add_fees(&stage.rich(EVE, 5), pool, 5);
        let ada = stage::somebody(ADA);
        liquidity::withdraw(&ada, pool, 1);
        let fraction = liquidity::earned_for_test(pool, ADA) - (1 << 64);
        let carry = (liquidity::fee_carry_for_test(pool) as u256);
        assert!(fraction > 0 && liquidity::take_fees(&ada, pool) == 1);
        assert!(liquidity::earned_for_test(pool, ADA) == 0);
        assert!((liquidity::fee_carry_for_test(pool) as u256) == carry + fraction);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun the_carry_makes_a_lone_providers_last_unit_whole() {
        let (stage, pool) = pool_with(10);
        // 7 * 2^64 divided by 10 leaves 2, just what Ada's part lacks.
        liquidity::add_fees(&stage.rich(EVE, 7), pool, 7);
        assert!(liquidity::fee_carry_for_test(pool) == 2);
        assert!(liquidity::fees_due(pool, ADA) == 7);
        assert!(liquidity::take_fees(&stage::somebody(ADA), pool) == 7);
        assert!(liquidity::fee_carry_for_test(pool) == 0);
        assert!(liquidity::earned_for_test(pool, ADA) == 0);
    }

    #[test]
    fun the_carry_is_given_once_to_each_whom_it_makes_whole() {
        let (stage, pool) = pool_with(60);
        liquidity::provide(&stage.rich(BOB, 40), pool, 40);
        // 5 * 2^64 divided by 100 leaves 80: Ada lacks 48 of three units, and Bob 32 of two.
        liquidity::add_fees(&stage.rich(EVE, 5), pool, 5);
        assert!(liquidity::fee_carry_for_test(pool) == 80);
        assert!(liquidity::take_fees(&stage::somebody(ADA), pool) == 3);
        assert!(liquidity::fee_carry_for_test(pool) == 32);
        liquidity::withdraw(&stage::somebody(BOB), pool, 40);
        assert!(liquidity::fee_carry_for_test(pool) == 0 && liquidity::fees_due(pool, BOB) == 2);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun no_fee_is_no_fee() {
        let (_stage, pool) = pool_with(10);
        liquidity::add_fees(&stage::somebody(EVE), pool, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x3000a, location = capp_liquidity::liquidity)]
    fun fees_need_somebody_to_have_them() {
        let stage = stage::set();
        let pool = stage.pool();
        liquidity::add_fees(&stage.rich(EVE, 5), pool, 5);
    }

    // Reserving, releasing, drawing

    #[test]
    fun a_reservation_is_set_aside_and_released() {
        let (_stage, pool) = pool_with(1_000);
        let settler = stage::settler();
        liquidity::reserve(&settler, pool, b"one", 300);
        liquidity::reserve(&settler, pool, b"two", 700);
        assert!(liquidity::available(pool) == 0 && liquidity::reserved(pool) == 1_000);
        assert!(liquidity::reserved_under(pool, b"one") == 300);
        assert!(liquidity::release(&settler, pool, b"one") == 300);
        liquidity::release_entry(&settler, pool, b"two");
        assert!(liquidity::reserved(pool) == 0 && liquidity::reserved_under(pool, b"one") == 0);
        assert!(event::emitted_events<liquidity::Reserved>().length() == 2);
        assert!(event::emitted_events<liquidity::Released>().length() == 2);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun a_draw_takes_exactly_what_it_says() {
        let (stage, pool) = pool_with(1_000);
        let drawn = liquidity::draw(&stage::settler(), pool, 250);
        assert!(fungible_asset::amount(&drawn) == 250);
        stage::bank(EVE, drawn);
        assert!(stage.purse(EVE) == 250 && liquidity::total(pool) == 750);
        assert!(event::emitted_events<liquidity::Drawn>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun a_reserved_draw_releases_the_rest() {
        let (stage, pool) = pool_with(1_000);
        let settler = stage::settler();
        liquidity::reserve(&settler, pool, b"one", 300);
        stage::bank(EVE, liquidity::draw_reserved(&settler, pool, b"one", 100));
        assert!(stage.purse(EVE) == 100 && liquidity::total(pool) == 900);
        assert!(liquidity::reserved(pool) == 0 && liquidity::available(pool) == 900);
        assert!(event::emitted_events<liquidity::Released>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun a_reserved_draw_of_all_releases_nothing() {
        let (_stage, pool) = pool_with(1_000);
        let settler = stage::settler();
        liquidity::reserve(&settler, pool, b"one", 1_000);
        stage::bank(EVE, liquidity::draw_reserved(&settler, pool, b"one", 1_000));
        assert!(event::emitted_events<liquidity::Released>().is_empty());
        assert!(liquidity::total(pool) == 0 && liquidity::reserved(pool) == 0);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_liquidity::liquidity)]
    fun only_the_settler_reserves() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::operator(), pool, b"one", 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_liquidity::liquidity)]
    fun only_the_settler_releases() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
        liquidity::release_entry(&stage::owner(), pool, b"one");
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_liquidity::liquidity)]
    fun only_the_settler_draws() {
        let (_stage, pool) = pool_with(1_000);
        stage::bank(EVE, liquidity::draw(&stage::somebody(ADA), pool, 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_liquidity::liquidity)]
    fun only_the_settler_draws_what_is_reserved() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
        stage::bank(EVE, liquidity::draw_reserved(&stage::somebody(ADA), pool, b"one", 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x1000e, location = capp_liquidity::liquidity)]
    fun a_reservation_has_an_id() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"", 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000e, location = capp_liquidity::liquidity)]
    fun an_id_is_not_longer_than_64_bytes() {
        let (_stage, pool) = pool_with(1_000);
        let id = b"12345678901234567890123456789012345678901234567890123456789012345";
        liquidity::reserve_entry(&stage::settler(), pool, id, 1);
    }

    #[test]
    fun an_id_may_have_64_bytes() {
        let (_stage, pool) = pool_with(1_000);
        let id = b"1234567890123456789012345678901234567890123456789012345678901234";
        liquidity::reserve_entry(&stage::settler(), pool, id, 1);
        assert!(liquidity::reserved_under(pool, id) == 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun nothing_is_not_reserved() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x8000b, location = capp_liquidity::liquidity)]
    fun an_id_is_reserved_under_once() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun what_is_not_there_cannot_be_reserved() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 600);
        liquidity::reserve_entry(&stage::settler(), pool, b"two", 401);
    }

    #[test]
    #[expected_failure(abort_code = 0x6000c, location = capp_liquidity::liquidity)]
    fun a_reservation_is_released_once() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
        liquidity::release_entry(&stage::settler(), pool, b"one");
        liquidity::release_entry(&stage::settler(), pool, b"one");
    }

    #[test]
    #[expected_failure(abort_code = 0x6000c, location = capp_liquidity::liquidity)]
    fun what_is_not_reserved_cannot_be_drawn_as_reserved() {
        let (_stage, pool) = pool_with(1_000);
        stage::bank(EVE, liquidity::draw_reserved(&stage::settler(), pool, b"one", 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x1000d, location = capp_liquidity::liquidity)]
    fun more_than_is_reserved_cannot_be_drawn_as_reserved() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
        stage::bank(EVE, liquidity::draw_reserved(&stage::settler(), pool, b"one", 2));
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun nothing_cannot_be_drawn() {
        let (_stage, pool) = pool_with(1_000);
        stage::bank(EVE, liquidity::draw(&stage::settler(), pool, 0));
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_liquidity::liquidity)]
    fun nothing_cannot_be_drawn_as_reserved() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
        stage::bank(EVE, liquidity::draw_reserved(&stage::settler(), pool, b"one", 0));
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun what_is_reserved_is_not_drawn_by_others() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 500);
        draw_to(EVE, pool, 501);
    }

    // Pause, exit, bars

    #[test]
    fun a_pool_is_paused_and_goes_on() {
        let (stage, pool) = pool_with(1_000);
        liquidity::pause_pool(&stage::pauser(), pool);
        liquidity::pause_pool(&stage::pauser(), pool);
        assert!(liquidity::is_pool_paused(pool));
        liquidity::unpause_pool(&stage::owner(), pool);
        liquidity::unpause_pool(&stage::owner(), pool);
        assert!(!liquidity::is_pool_paused(pool));
        assert!(event::emitted_events<liquidity::PoolPaused>().length() == 1);
        assert!(event::emitted_events<liquidity::PoolUnpaused>().length() == 1);
        liquidity::provide(&stage.rich(BOB, 1), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_a_pauser_pauses_a_pool() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::pause_pool(&stage::owner(), pool);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun only_the_owner_lets_a_pool_go_on() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::pause_pool(&stage::pauser(), pool);
        liquidity::unpause_pool(&stage::pauser(), pool);
    }

    fun paused(): (Stage, Object<Pool>) {
        let (stage, pool) = pool_with(1_000);
        let payer = stage.rich(EVE, 1_000);
        liquidity::add_fees(&payer, pool, 100);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 1);
        liquidity::pause_pool(&stage::pauser(), pool);
        (stage, pool)
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nothing_is_provided_to_a_paused_pool() {
        let (_stage, pool) = paused();
        liquidity::provide(&stage::somebody(EVE), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nothing_is_withdrawn_from_a_paused_pool() {
        let (_stage, pool) = paused();
        liquidity::withdraw(&stage::somebody(ADA), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun a_paused_pool_is_not_replenished() {
        let (_stage, pool) = paused();
        liquidity::replenish(&stage::somebody(EVE), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun a_paused_pool_does_not_look_who_replenishes() {
        let (stage, pool) = paused();
        stage.bar(EVE);
        liquidity::replenish(&stage::somebody(EVE), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nothing_is_put_into_a_paused_pool() {
        let (stage, pool) = paused();
        liquidity::put(pool, stage.minted(1));
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun no_fees_come_into_a_paused_pool() {
        let (_stage, pool) = paused();
        liquidity::add_fees(&stage::somebody(EVE), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun no_fees_are_claimed_from_a_paused_pool() {
        let (_stage, pool) = paused();
        liquidity::claim_fees(&stage::somebody(ADA), pool);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nothing_is_reserved_in_a_paused_pool() {
        let (_stage, pool) = paused();
        liquidity::reserve_entry(&stage::settler(), pool, b"two", 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nothing_is_released_in_a_paused_pool() {
        let (_stage, pool) = paused();
        liquidity::release_entry(&stage::settler(), pool, b"one");
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nothing_is_drawn_from_a_paused_pool() {
        let (_stage, pool) = paused();
        draw_to(EVE, pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun nothing_reserved_is_drawn_from_a_paused_pool() {
        let (_stage, pool) = paused();
        stage::bank(EVE, liquidity::draw_reserved(&stage::settler(), pool, b"one", 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun the_pause_of_all_pauses_every_pool() {
        let (stage, pool) = pool_with(1_000);
        stage.pause();
        liquidity::withdraw(&stage::somebody(ADA), pool, 1);
    }

    #[test]
    fun an_exit_goes_on_under_both_pauses_and_leaves_the_fees_due() {
        let (stage, pool) = pool_with(600);
        liquidity::provide(&stage.rich(BOB, 400), pool, 400);
        liquidity::add_fees(&stage.rich(EVE, 1_024), pool, 1_024);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 500);
        liquidity::pause_pool(&stage::pauser(), pool);
        stage.pause();
        assert!(liquidity::exit(&stage::somebody(ADA), pool) == 300);
        assert!(stage.purse(ADA) == 300 && liquidity::shares_of(pool, ADA) == 0);
        assert!(liquidity::total(pool) == 700 && liquidity::reserved(pool) == 500);
        assert!(liquidity::fees_due(pool, ADA) == 614);
        assert!(event::emitted_events<liquidity::EmergencyExited>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun what_the_last_to_exit_gives_up_is_the_operators() {
        let (stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 400);
        liquidity::emergency_exit(&stage::somebody(ADA), pool);
        assert!(stage.purse(ADA) == 600 && liquidity::shares_of(pool, @0xa4) == 400);
        liquidity::release_entry(&stage::settler(), pool, b"one");
        let eve = stage.rich(EVE, 1);
        liquidity::provide(&eve, pool, 1);
        assert!(liquidity::withdraw_liquidity(&eve, pool, 1) == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun what_an_issuer_took_is_lost_to_all_alike() {
        let (stage, pool) = pool_with(600);
        liquidity::provide(&stage.rich(BOB, 400), pool, 400);
        stage.seize(liquidity::funds_of(pool), 500);
        assert!(liquidity::exit(&stage::somebody(ADA), pool) == 300);
        assert!(liquidity::exit(&stage::somebody(BOB), pool) == 200);
        assert!(event::emitted_events<liquidity::LossTaken>().length() == 1);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun who_withdraws_first_after_a_loss_has_no_more_of_it() {
        let (stage, pool) = pool_with(100);
        liquidity::provide(&stage.rich(BOB, 100), pool, 100);
        stage.seize(liquidity::funds_of(pool), 100);
        assert!(liquidity::withdraw_liquidity(&stage::somebody(BOB), pool, 100) == 50);
        assert!(liquidity::withdraw_liquidity(&stage::somebody(ADA), pool, 100) == 50);
        stage::audit(pool, &everybody());
    }

    #[test]
    fun who_comes_after_a_loss_does_not_pay_for_it() {
        let (stage, pool) = pool_with(200);
        stage.seize(liquidity::funds_of(pool), 100);
        let bob = stage.rich(BOB, 100);
        assert!(liquidity::provide_liquidity(&bob, pool, 100) == 200);
        assert!(liquidity::exit(&bob, pool) == 100);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun what_was_lost_is_not_drawn() {
        let (stage, pool) = pool_with(200);
        stage.seize(liquidity::funds_of(pool), 100);
        draw_to(EVE, pool, 101);
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun what_was_lost_is_not_reserved() {
        let (stage, pool) = pool_with(200);
        stage.seize(liquidity::funds_of(pool), 100);
        liquidity::reserve(&stage::settler(), pool, b"one", 101);
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun what_was_lost_is_not_drawn_though_it_was_reserved() {
        let (stage, pool) = pool_with(200);
        liquidity::reserve(&stage::settler(), pool, b"one", 120);
        stage.seize(liquidity::funds_of(pool), 150);
        stage::bank(EVE, liquidity::draw_reserved(&stage::settler(), pool, b"one", 120));
    }

    #[test]
    fun what_is_replenished_after_a_loss_pays_what_was_reserved() {
        let (stage, pool) = pool_with(200);
        liquidity::reserve(&stage::settler(), pool, b"one", 120);
        stage.seize(liquidity::funds_of(pool), 150);
        liquidity::replenish(&stage.rich(@0xa4, 70), pool, 70);
        stage::bank(EVE, liquidity::draw_reserved(&stage::settler(), pool, b"one", 120));
        assert!(stage.purse(EVE) == 120 && liquidity::total(pool) == 0);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun nobody_exits_with_what_is_reserved_after_a_loss() {
        let (stage, pool) = pool_with(1_000);
        liquidity::reserve_entry(&stage::settler(), pool, b"one", 600);
        stage.seize(liquidity::funds_of(pool), 500);
        liquidity::emergency_exit(&stage::somebody(ADA), pool);
    }

    #[test]
    #[expected_failure(abort_code = 0x10008, location = capp_liquidity::liquidity)]
    fun who_has_nothing_has_nothing_to_exit_with() {
        let (_stage, pool) = pool_with(1_000);
        liquidity::emergency_exit(&stage::somebody(EVE), pool);
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun nobody_gives_all_shares_up_for_nothing() {
        let (_stage, pool) = pool_with(1_000);
        draw_to(EVE, pool, 1_000);
        liquidity::emergency_exit(&stage::somebody(ADA), pool);
    }

    fun barred(): (Stage, Object<Pool>) {
        let (stage, pool) = pool_with(1_000);
        liquidity::add_fees(&stage.rich(ADA, 1_000), pool, 100);
        stage.bar(ADA);
        (stage, pool)
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_provides_nothing() {
        let (_stage, pool) = barred();
        liquidity::provide(&stage::somebody(ADA), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_withdraws_nothing() {
        let (_stage, pool) = barred();
        liquidity::withdraw(&stage::somebody(ADA), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_replenishes_nothing() {
        let (_stage, pool) = barred();
        liquidity::replenish(&stage::somebody(ADA), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_adds_no_fees() {
        let (_stage, pool) = barred();
        liquidity::add_fees(&stage::somebody(ADA), pool, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_claims_no_fees() {
        let (_stage, pool) = barred();
        liquidity::claim_fees(&stage::somebody(ADA), pool);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_does_not_exit() {
        let (_stage, pool) = barred();
        liquidity::emergency_exit(&stage::somebody(ADA), pool);
    }

    // Assets with functions of their own

    #[test]
    fun an_asset_whose_functions_move_what_they_are_asked_is_fine() {
        let stage = stage::set_with(b"withdraw", b"deposit");
        let pool = stage.pool();
        liquidity::provide(&stage.rich(ADA, 99), pool, 99);
        liquidity::add_fees(&stage.rich(BOB, 9), pool, 9);
        draw_to(EVE, pool, 9);
        liquidity::claim_fees(&stage::somebody(ADA), pool);
        liquidity::withdraw(&stage::somebody(ADA), pool, 99);
        assert!(stage.purse(ADA) == 99 && stage.purse(EVE) == 9);
        stage::audit(pool, &everybody());
    }

    #[test]
    #[expected_failure(abort_code = 0x7000f, location = capp_liquidity::liquidity)]
    fun an_asset_that_keeps_a_part_of_a_deposit_is_refused() {
        let stage = stage::set_with(b"", b"deposit");
        let pool = stage.pool();
        liquidity::provide(&stage.rich(ADA, 100), pool, 100);
    }

    #[test]
    #[expected_failure(abort_code = 0x7000f, location = capp_liquidity::liquidity)]
    fun an_asset_that_keeps_a_part_of_a_withdrawal_is_refused() {
        let stage = stage::set_with(b"withdraw", b"");
        let pool = stage.pool();
        liquidity::put(pool, stage.minted(1_000));
        draw_to(EVE, pool, 100);
    }

    #[test]
    #[expected_failure(abort_code = 0x7000f, location = capp_liquidity::liquidity)]
    fun an_asset_that_takes_more_than_it_gives_is_refused() {
        let stage = stage::set_with(b"take_more", b"");
        let pool = stage.pool();
        liquidity::put(pool, stage.minted(1_000));
        draw_to(EVE, pool, 100);
    }

    #[test]
    #[
        expected_failure(
            major_status = 4037, location = aptos_framework::dispatchable_fungible_asset
        )
    ]
    fun an_asset_that_calls_back_gets_nothing() {
        let stage = stage::set_with(b"", b"call_back");
        let pool = stage.pool();
        liquidity::put(pool, stage.minted(1_000));
    }

    // Many values

    /// The next of a row of numbers that look random (the constants of Knuth's MMIX).
    fun next(seed: &mut u64): u64 {
        let product = (*seed as u128) * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407;
        *seed = ((product % 18_446_744_073_709_551_616) as u64);
        *seed >> 33
    }

    /// The worth of a share may not fall when others come and go.
    fun is_no_less(total: u64, shares: u64, total_before: u64, shares_before: u64): bool {
        shares == 0 || shares_before == 0
            || (total as u128) * (shares_before as u128)
                >= (total_before as u128) * (shares as u128)
    }

    fun walk(seed: u64, steps: u64, amount_max: u64) {
        let stage = stage::set();
        let pool = stage.pool();
        let people = vector[ADA, BOB, EVE];
        people.for_each_ref(|who| { stage.rich(*who, 1_000_000_000_000); });
        let bank = stage.rich(@0xbac, 1_000_000_000_000_000);
        let settler = stage::settler();
        let all = everybody();
        all.push_back(@0xbac);
        for (_step in 0..steps) {
            let who = stage::somebody(people[next(&mut seed) % 3]);
            let amount = 1_000 + next(&mut seed) % amount_max;
            let (total, shares) = (liquidity::total(pool), liquidity::shares(pool));
            let choice = next(&mut seed) % 7;
            if (choice == 0) {
                // Enough for a thousand shares and one, so that rounding cannot cost too much.
                if (shares == 0) liquidity::provide(&who, pool, amount)
                else if (total * 100 > shares) {
                    liquidity::provide(&who, pool, amount + (total / shares + 1) * 1_001);
                };
                assert!(
                    is_no_less(liquidity::total(pool), liquidity::shares(pool), total, shares)
                );
            } else if (choice == 1) {
                let mine = liquidity::shares_of(pool, std::signer::address_of(&who));
                if (mine > 0) liquidity::withdraw(&who, pool, 1 + next(&mut seed) % mine);
                assert!(
                    is_no_less(liquidity::total(pool), liquidity::shares(pool), total, shares)
                );
            } else if (choice == 2 && shares > 0) {
                liquidity::add_fees(&bank, pool, 1 + amount % 997);
            } else if (choice == 3) {
                liquidity::claim_fees(&who, pool);
            } else if (choice == 4 && total > 1) {
                draw_to(@0xbac, pool, 1 + next(&mut seed) % (total / 2));
            } else if (choice == 5) {
                liquidity::replenish(&bank, pool, amount);
            } else if (choice == 6 && total > 1) {
                let id = std::bcs::to_bytes(&amount);
                if (liquidity::reserved_under(pool, id) == 0) {
                    liquidity::reserve(&settler, pool, id, 1 + amount % total);
                    liquidity::release(&settler, pool, id);
                };
            };
            stage::audit(pool, &all);
        };
        // Everybody leaves, and what is left of fees is less than a unit for each who ever earned.
        people.for_each_ref(|who| {
            let who = *who;
            let mine = liquidity::shares_of(pool, who);
            if (mine > 0) liquidity::withdraw(&stage::somebody(who), pool, mine);
            liquidity::claim_fees(&stage::somebody(who), pool);
        });
        let operators = liquidity::shares_of(pool, @0xa4);
        if (operators > 0) liquidity::withdraw(&stage::operator(), pool, operators);
        liquidity::claim_fees(&stage::operator(), pool);
        assert!(liquidity::total(pool) == 0 && liquidity::shares(pool) == 0);
        assert!(liquidity::fees_held(pool) <= 4);
        stage::audit(pool, &all);
    }

    #[test]
    fun shares_and_fees_are_exact_through_small_amounts() { walk(1, 40, 3_000); }

    #[test]
    fun shares_and_fees_are_exact_through_odd_amounts() { walk(20, 40, 99_991); }

    #[test]
    fun shares_and_fees_are_exact_through_large_amounts() { walk(300, 40, 999_999_937); }
}

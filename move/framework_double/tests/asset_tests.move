#[test_only]
module std::asset_tests {
    use std::bcs;
    use std::hash;
    use std::option;
    use std::string;
    use std::vector;
    use aptos_std::from_bcs;
    use aptos_framework::account;
    use aptos_framework::dispatchable_fungible_asset;
    use aptos_framework::fungible_asset::{Self, BurnRef, FungibleStore, Metadata, MintRef, TransferRef};
    use aptos_framework::object::{Self, ConstructorRef, Object};
    use aptos_framework::primary_fungible_store;

    const ISSUER: address = @0x1550;
    const ALICE: address = @0xa11ce;
    const BOB: address = @0xb0b;

    fun alice(): signer {
        account::create_signer_for_test(ALICE)
    }

    fun bob(): signer {
        account::create_signer_for_test(BOB)
    }

    fun asset(): (Object<Metadata>, MintRef, BurnRef, TransferRef) {
        asset_named(b"USDC", option::none())
    }

    fun asset_named(
        symbol: vector<u8>, maximum: option::Option<u128>
    ): (Object<Metadata>, MintRef, BurnRef, TransferRef) {
        let ref =
            &object::create_named_object(&account::create_signer_for_test(ISSUER), symbol);
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            ref,
            maximum,
            string::utf8(b"Test"),
            string::utf8(symbol),
            6,
            string::utf8(b""),
            string::utf8(b"")
        );
        (
            object::object_from_constructor_ref<Metadata>(ref),
            fungible_asset::generate_mint_ref(ref),
            fungible_asset::generate_burn_ref(ref),
            fungible_asset::generate_transfer_ref(ref)
        )
    }

    fun store_at(ref: &ConstructorRef, asset: Object<Metadata>): Object<FungibleStore> {
        fungible_asset::create_store(ref, asset)
    }

    #[test]
    fun a_primary_store_is_where_its_owner_and_asset_say() {
        let (asset, _, _, _) = asset();
        let source = bcs::to_bytes(&ALICE);
        vector::append(&mut source, bcs::to_bytes(&object::object_address(&asset)));
        vector::push_back(&mut source, 0xFC);
        let expected = from_bcs::to_address(hash::sha3_256(source));
        assert!(primary_fungible_store::primary_store_address(ALICE, asset) == expected, 0);
        let store = primary_fungible_store::ensure_primary_store_exists(ALICE, asset);
        assert!(object::object_address(&store) == expected, 0);
        assert!(object::owner(store) == ALICE, 0);
        assert!(!object::ungated_transfer_allowed(store), 0);
    }

    #[test]
    fun who_has_no_store_has_nothing() {
        let (asset, _, _, _) = asset();
        assert!(primary_fungible_store::balance(ALICE, asset) == 0, 0);
        assert!(!primary_fungible_store::primary_store_exists(ALICE, asset), 0);
    }

    #[test]
    fun what_is_minted_sent_and_burnt_is_counted() {
        let (asset, mint, burn, _) = asset();
        primary_fungible_store::mint(&mint, ALICE, 100);
        primary_fungible_store::transfer(&alice(), asset, BOB, 30);
        primary_fungible_store::burn(&burn, BOB, 10);
        assert!(primary_fungible_store::balance(ALICE, asset) == 70, 0);
        assert!(primary_fungible_store::balance(BOB, asset) == 20, 0);
        assert!(fungible_asset::supply(asset) == option::some(90), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x20005, location = aptos_framework::fungible_asset)]
    fun no_more_is_minted_than_may_be() {
        let (_, mint, _, _) = asset_named(b"FEW", option::some(10));
        primary_fungible_store::mint(&mint, ALICE, 10);
        primary_fungible_store::mint(&mint, ALICE, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = aptos_framework::fungible_asset)]
    fun no_more_is_withdrawn_than_is_there() {
        let (asset, mint, _, _) = asset();
        primary_fungible_store::mint(&mint, ALICE, 1);
        primary_fungible_store::transfer(&alice(), asset, BOB, 2);
    }

    #[test]
    fun nothing_can_be_withdrawn_and_deposited() {
        let (asset, _, _, _) = asset();
        let nothing = primary_fungible_store::withdraw(&alice(), asset, 0);
        primary_fungible_store::deposit(BOB, nothing);
        assert!(primary_fungible_store::primary_store_exists(BOB, asset), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50008, location = aptos_framework::fungible_asset)]
    fun nobody_withdraws_from_anothers_store() {
        let (asset, mint, _, _) = asset();
        primary_fungible_store::mint(&mint, ALICE, 1);
        let store = primary_fungible_store::primary_store(ALICE, asset);
        let taken = fungible_asset::withdraw(&bob(), store, 1);
        primary_fungible_store::deposit(BOB, taken);
    }

    #[test]
    #[expected_failure(abort_code = 0x50008, location = aptos_framework::fungible_asset)]
    fun an_object_does_not_withdraw_from_the_store_it_is() {
        let (asset, mint, _, _) = asset();
        let pool = &object::create_named_object(&alice(), b"pool");
        let store = store_at(pool, asset);
        fungible_asset::mint_to(&mint, store, 1);
        let taken = fungible_asset::withdraw(&object::generate_signer(pool), store, 1);
        primary_fungible_store::deposit(BOB, taken);
    }

    #[test]
    fun an_object_withdraws_from_a_store_it_owns() {
        let (asset, mint, _, _) = asset();
        let pool = &object::create_named_object(&alice(), b"pool");
        let store =
            store_at(&object::create_object(object::address_from_constructor_ref(pool)), asset);
        fungible_asset::mint_to(&mint, store, 5);
        let taken = fungible_asset::withdraw(&object::generate_signer(pool), store, 2);
        primary_fungible_store::deposit(BOB, taken);
        assert!(fungible_asset::balance(store) == 3, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_frozen_store_gives_nothing() {
        let (asset, mint, _, transfer) = asset();
        primary_fungible_store::mint(&mint, ALICE, 1);
        primary_fungible_store::set_frozen_flag(&transfer, ALICE, true);
        primary_fungible_store::transfer(&alice(), asset, BOB, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_frozen_store_takes_nothing() {
        let (asset, mint, _, transfer) = asset();
        primary_fungible_store::mint(&mint, ALICE, 1);
        primary_fungible_store::set_frozen_flag(&transfer, BOB, true);
        primary_fungible_store::transfer(&alice(), asset, BOB, 1);
    }

    #[test]
    fun an_issuer_moves_what_is_frozen() {
        let (asset, mint, _, transfer) = asset();
        primary_fungible_store::mint(&mint, ALICE, 3);
        primary_fungible_store::set_frozen_flag(&transfer, ALICE, true);
        let from = primary_fungible_store::primary_store(ALICE, asset);
        let to = primary_fungible_store::ensure_primary_store_exists(BOB, asset);
        fungible_asset::transfer_with_ref(&transfer, from, to, 2);
        assert!(primary_fungible_store::balance(BOB, asset) == 2, 0);
        assert!(primary_fungible_store::is_frozen(ALICE, asset), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000B, location = aptos_framework::fungible_asset)]
    fun a_store_takes_its_own_asset_alone() {
        let (_, mint, _, _) = asset();
        let (other, _, _, _) = asset_named(b"OTHER", option::none());
        let store = primary_fungible_store::ensure_primary_store_exists(ALICE, other);
        fungible_asset::deposit(store, fungible_asset::mint(&mint, 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x10006, location = aptos_framework::fungible_asset)]
    fun two_assets_do_not_merge() {
        let (_, mint, burn, _) = asset();
        let (other, _, _, _) = asset_named(b"OTHER", option::none());
        let whole = fungible_asset::mint(&mint, 1);
        fungible_asset::merge(&mut whole, fungible_asset::zero(other));
        fungible_asset::burn(&burn, whole);
    }

    #[test]
    fun an_asset_is_split_and_merged() {
        let (asset, mint, burn, _) = asset();
        let whole = fungible_asset::mint(&mint, 5);
        let part = fungible_asset::extract(&mut whole, 2);
        assert!(fungible_asset::amount(&whole) == 3 && fungible_asset::amount(&part) == 2, 0);
        fungible_asset::merge(&mut whole, part);
        fungible_asset::merge(&mut whole, fungible_asset::zero(asset));
        assert!(fungible_asset::metadata_from_asset(&whole) == asset, 0);
        fungible_asset::burn(&burn, whole);
        assert!(fungible_asset::supply(asset) == option::some(0), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = aptos_framework::fungible_asset)]
    fun no_more_is_split_off_than_there_is() {
        let (_, mint, burn, _) = asset();
        let whole = fungible_asset::mint(&mint, 1);
        fungible_asset::burn(&burn, fungible_asset::extract(&mut whole, 2));
        fungible_asset::burn(&burn, whole);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000C, location = aptos_framework::fungible_asset)]
    fun something_is_not_destroyed_as_nothing() {
        let (_, mint, _, _) = asset();
        fungible_asset::destroy_zero(fungible_asset::mint(&mint, 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x60017, location = aptos_framework::fungible_asset)]
    fun nothing_is_deposited_where_no_store_is() {
        let (_, mint, _, transfer) = asset();
        let no_store = object::object_from_constructor_ref<object::ObjectCore>(&object::create_object(ALICE));
        fungible_asset::deposit_with_ref(&transfer, no_store, fungible_asset::mint(&mint, 1));
    }

    #[test]
    fun an_asset_without_functions_goes_through_both_doors() {
        let (asset, mint, _, _) = asset();
        primary_fungible_store::mint(&mint, ALICE, 3);
        let from = primary_fungible_store::primary_store(ALICE, asset);
        let to = primary_fungible_store::ensure_primary_store_exists(BOB, asset);
        fungible_asset::transfer(&alice(), from, to, 1);
        dispatchable_fungible_asset::transfer_assert_minimum_deposit(&alice(), from, to, 1, 1);
        assert!(dispatchable_fungible_asset::derived_balance(to) == 2, 0);
    }
}

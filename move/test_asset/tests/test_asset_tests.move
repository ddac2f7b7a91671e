#[test_only]
module capp_test_asset::test_asset_tests {
    use std::option;
    use std::string;
    use aptos_framework::account;
    use aptos_framework::fungible_asset::{Self, FungibleStore, Metadata};
    use aptos_framework::object::{Self, Object};
    use aptos_framework::primary_fungible_store;
    use capp_test_asset::test_asset;

    const ISSUER: address = @0x1550;
    const HOLDER: address = @0x401d;

    fun issuer(): signer {
        account::create_signer_for_test(ISSUER)
    }

    fun holder(): signer {
        account::create_signer_for_test(HOLDER)
    }

    fun asset(): Object<Metadata> {
        test_asset::create(&issuer(), b"USDC", 6);
        object::address_to_object<Metadata>(test_asset::address_of(ISSUER, b"USDC"))
    }

    fun store_of_an_object(asset: Object<Metadata>): Object<FungibleStore> {
        fungible_asset::create_store(&object::create_object(HOLDER), asset)
    }

    #[test]
    fun an_asset_tells_its_symbol_and_decimals() {
        let asset = asset();
        assert!(fungible_asset::symbol(asset) == string::utf8(b"USDC"), 0);
        assert!(fungible_asset::name(asset) == string::utf8(b"USDC"), 0);
        assert!(fungible_asset::decimals(asset) == 6, 0);
        assert!(fungible_asset::supply(asset) == option::some(0), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x80001, location = aptos_framework::object)]
    fun a_symbol_is_made_once() {
        asset();
        asset();
    }

    #[test]
    fun what_is_minted_can_be_sent() {
        let asset = asset();
        test_asset::mint(&issuer(), asset, HOLDER, 70);
        primary_fungible_store::transfer(&holder(), asset, ISSUER, 30);
        assert!(primary_fungible_store::balance(HOLDER, asset) == 40, 0);
        assert!(primary_fungible_store::balance(ISSUER, asset) == 30, 0);
        assert!(fungible_asset::supply(asset) == option::some(70), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_test_asset::test_asset)]
    fun nobody_else_mints() {
        test_asset::mint(&holder(), asset(), HOLDER, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_frozen_owner_sends_nothing() {
        let asset = asset();
        test_asset::mint(&issuer(), asset, HOLDER, 1);
        test_asset::freeze_owner(&issuer(), asset, HOLDER, true);
        primary_fungible_store::transfer(&holder(), asset, ISSUER, 1);
    }

    #[test]
    fun a_thawed_owner_sends_again() {
        let asset = asset();
        test_asset::mint(&issuer(), asset, HOLDER, 1);
        test_asset::freeze_owner(&issuer(), asset, HOLDER, true);
        test_asset::freeze_owner(&issuer(), asset, HOLDER, false);
        primary_fungible_store::transfer(&holder(), asset, ISSUER, 1);
        assert!(primary_fungible_store::balance(ISSUER, asset) == 1, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_test_asset::test_asset)]
    fun nobody_else_freezes_an_owner() {
        test_asset::freeze_owner(&holder(), asset(), HOLDER, true);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_frozen_store_receives_nothing() {
        let asset = asset();
        let store = store_of_an_object(asset);
        test_asset::mint(&issuer(), asset, HOLDER, 1);
        test_asset::freeze_store(&issuer(), store, true);
        let sent = primary_fungible_store::withdraw(&holder(), asset, 1);
        fungible_asset::deposit(store, sent);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_test_asset::test_asset)]
    fun nobody_else_freezes_a_store() {
        let store = store_of_an_object(asset());
        test_asset::freeze_store(&holder(), store, true);
    }
}

#[test_only]
/// An asset that keeps a tenth of what is deposited, and adds one to what it tells of a balance.
module 0xcafe::taxed_asset {
    use std::option;
    use std::string;
    use aptos_framework::account;
    use aptos_framework::dispatchable_fungible_asset;
    use aptos_framework::function_info;
    use aptos_framework::fungible_asset::{Self, FungibleAsset, FungibleStore, Metadata, MintRef, TransferRef};
    use aptos_framework::object::{Self, ConstructorRef, Object};
    use aptos_framework::primary_fungible_store;

    public fun create(): (Object<Metadata>, MintRef) {
        let issuer = account::create_signer_for_test(@0xcafe);
        let ref = &object::create_named_object(&issuer, b"TAXED");
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            ref,
            option::none(),
            string::utf8(b"Taxed"),
            string::utf8(b"TAXED"),
            6,
            string::utf8(b""),
            string::utf8(b"")
        );
        register(ref);
        fungible_asset::create_store(
            &object::create_named_object(&issuer, b"collector"),
            object::object_from_constructor_ref<Metadata>(ref)
        );
        (
            object::object_from_constructor_ref<Metadata>(ref),
            fungible_asset::generate_mint_ref(ref)
        )
    }

    public fun create_twice() {
        let issuer = account::create_signer_for_test(@0xcafe);
        let ref = &object::create_named_object(&issuer, b"TWICE");
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            ref,
            option::none(),
            string::utf8(b"Twice"),
            string::utf8(b"TWICE"),
            6,
            string::utf8(b""),
            string::utf8(b"")
        );
        register(ref);
        register(ref);
    }

    fun register(ref: &ConstructorRef) {
        dispatchable_fungible_asset::register_dispatch_functions(
            ref,
            option::some(function(b"withdraw")),
            option::some(function(b"deposit")),
            option::some(function(b"derived_balance"))
        );
    }

    public fun withdraw<T: key>(
        store: Object<T>, amount: u64, transfer_ref: &TransferRef
    ): FungibleAsset {
        fungible_asset::withdraw_with_ref(transfer_ref, store, amount)
    }

    public fun deposit<T: key>(store: Object<T>, fa: FungibleAsset, transfer_ref: &TransferRef) {
        let tax = fungible_asset::amount(&fa) / 10;
        let kept = fungible_asset::extract(&mut fa, tax);
        let collector = object::address_to_object<FungibleStore>(collector());
        fungible_asset::deposit_with_ref(transfer_ref, collector, kept);
        fungible_asset::deposit_with_ref(transfer_ref, store, fa);
    }

    public fun derived_balance<T: key>(store: Object<T>): u64 {
        fungible_asset::balance(store) + 1
    }

    fun collector(): address {
        object::create_object_address(&@0xcafe, b"collector")
    }

    public fun function(name: vector<u8>): function_info::FunctionInfo {
        function_info::new_function_info(
            &account::create_signer_for_test(@0xcafe), string::utf8(b"taxed_asset"), string::utf8(name)
        )
    }
}

#[test_only]
module 0xcafe::dispatch_tests {
    use 0xcafe::taxed_asset;
    use aptos_framework::account;
    use aptos_framework::dispatchable_fungible_asset;
    use aptos_framework::fungible_asset;
    use aptos_framework::primary_fungible_store;

    const ALICE: address = @0xa11ce;
    const BOB: address = @0xb0b;

    fun alice(): signer {
        account::create_signer_for_test(ALICE)
    }

    #[test]
    fun an_assets_own_functions_are_asked() {
        let (asset, mint) = taxed_asset::create();
        primary_fungible_store::mint(&mint, ALICE, 100);
        primary_fungible_store::transfer(&alice(), asset, BOB, 50);
        assert!(primary_fungible_store::balance(ALICE, asset) == 50, 0);
        assert!(primary_fungible_store::balance(BOB, asset) == 45, 0);
        let store = primary_fungible_store::primary_store(BOB, asset);
        assert!(dispatchable_fungible_asset::derived_balance(store) == 46, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x70003, location = aptos_framework::dispatchable_fungible_asset)]
    fun less_may_arrive_than_was_sent() {
        let (asset, mint) = taxed_asset::create();
        primary_fungible_store::mint(&mint, ALICE, 100);
        let from = primary_fungible_store::primary_store(ALICE, asset);
        let to = primary_fungible_store::ensure_primary_store_exists(BOB, asset);
        dispatchable_fungible_asset::transfer_assert_minimum_deposit(&alice(), from, to, 50, 50);
    }

    #[test]
    #[expected_failure(abort_code = 0x1001C, location = aptos_framework::fungible_asset)]
    fun such_an_asset_is_not_withdrawn_plainly() {
        let (asset, mint) = taxed_asset::create();
        primary_fungible_store::mint(&mint, ALICE, 100);
        let store = primary_fungible_store::primary_store(ALICE, asset);
        fungible_asset::deposit(store, fungible_asset::withdraw(&alice(), store, 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x1001C, location = aptos_framework::fungible_asset)]
    fun such_an_asset_is_not_deposited_plainly() {
        let (asset, mint) = taxed_asset::create();
        let store = primary_fungible_store::ensure_primary_store_exists(ALICE, asset);
        fungible_asset::deposit(store, fungible_asset::mint(&mint, 1));
    }

    #[test]
    #[expected_failure(abort_code = 0x8001D, location = aptos_framework::fungible_asset)]
    fun functions_are_brought_once() {
        taxed_asset::create_twice();
    }

    #[test]
    #[expected_failure(abort_code = 0x10001, location = aptos_framework::function_info)]
    fun a_function_has_a_name() {
        taxed_asset::function(b"no name");
    }
}

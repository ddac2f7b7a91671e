#[test_only]
/// What an asset with functions of its own may do to a pool: keep a unit of what is moved, or call back.
/// It behaves in amounts below a hundred, so that pools can be filled first.
module capp_liquidity::hungry_asset {
    use std::option::{Self, Option};
    use std::string;
    use aptos_framework::account;
    use aptos_framework::dispatchable_fungible_asset;
    use aptos_framework::function_info::{Self, FunctionInfo};
    use aptos_framework::fungible_asset::{Self, FungibleAsset, TransferRef};
    use aptos_framework::object::{Self, ConstructorRef, Object};
    use aptos_framework::primary_fungible_store;
    use capp_liquidity::liquidity::{Self, Pool};

    const KEEPER: address = @0xbad;

    public fun deposit<T: key>(store: Object<T>, asset: FungibleAsset, transfer: &TransferRef) {
        if (fungible_asset::amount(&asset) >= 100) keep(store, &mut asset, transfer);
        fungible_asset::deposit_with_ref(transfer, store, asset);
    }

    public fun withdraw<T: key>(
        store: Object<T>, amount: u64, transfer: &TransferRef
    ): FungibleAsset {
        let taken = fungible_asset::withdraw_with_ref(transfer, store, amount);
        if (amount >= 100) keep(store, &mut taken, transfer);
        taken
    }

    /// Gives what it was asked for, and takes a unit more out of the store.
    public fun take_more<T: key>(
        store: Object<T>, amount: u64, transfer: &TransferRef
    ): FungibleAsset {
        let taken = fungible_asset::withdraw_with_ref(transfer, store, amount + 1);
        keep(store, &mut taken, transfer);
        taken
    }

    fun keep<T: key>(store: Object<T>, asset: &mut FungibleAsset, transfer: &TransferRef) {
        let keeper =
            primary_fungible_store::ensure_primary_store_exists(
                KEEPER, fungible_asset::store_metadata(store)
            );
        fungible_asset::deposit_with_ref(transfer, keeper, fungible_asset::extract(asset, 1));
    }

    /// Puts a unit of what comes in into the pool from within the deposit.
    public fun call_back<T: key>(
        store: Object<T>, asset: FungibleAsset, transfer: &TransferRef
    ) {
        if (fungible_asset::amount(&asset) >= 100) {
            let pool = object::address_to_object<Pool>(liquidity::address_of(@0xa3, b"pool"));
            liquidity::put(pool, fungible_asset::extract(&mut asset, 1));
        };
        fungible_asset::deposit_with_ref(transfer, store, asset);
    }

    public fun feed(constructor: &ConstructorRef, withdraw: vector<u8>, deposit: vector<u8>) {
        dispatchable_fungible_asset::register_dispatch_functions(
            constructor, named(withdraw), named(deposit), option::none()
        );
    }

    fun named(function: vector<u8>): Option<FunctionInfo> {
        if (function.is_empty()) return option::none();
        option::some(
            function_info::new_function_info(
                &account::create_signer_for_test(@capp_liquidity),
                string::utf8(b"hungry_asset"),
                string::utf8(function)
            )
        )
    }
}

/// Moving assets that may bring functions of their own; every other asset too.
///
/// A double of the module of the same name on Aptos: same signatures, same aborts.
module aptos_framework::dispatchable_fungible_asset {
    use std::error;
    use std::option::{Self, Option};
    use aptos_framework::function_info::{Self, FunctionInfo};
    use aptos_framework::fungible_asset::{Self, FungibleAsset, TransferRef};
    use aptos_framework::object::{Self, ConstructorRef, Object};

    /// Nobody registered functions for the asset.
    const ESTORE_NOT_FOUND: u64 = 2;
    /// Less arrived than was asked for.
    const EAMOUNT_MISMATCH: u64 = 3;

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    struct TransferRefStore has key {
        transfer_ref: TransferRef
    }

    public fun register_dispatch_functions(
        constructor_ref: &ConstructorRef,
        withdraw_function: Option<FunctionInfo>,
        deposit_function: Option<FunctionInfo>,
        derived_balance_function: Option<FunctionInfo>
    ) {
        fungible_asset::register_dispatch_functions(
            constructor_ref, withdraw_function, deposit_function, derived_balance_function
        );
        move_to(
            &object::generate_signer(constructor_ref),
            TransferRefStore { transfer_ref: fungible_asset::generate_transfer_ref(constructor_ref) }
        );
    }

    public fun withdraw<T: key>(owner: &signer, store: Object<T>, amount: u64): FungibleAsset acquires TransferRefStore {
        fungible_asset::withdraw_sanity_check(owner, store, false);
        let chosen = fungible_asset::withdraw_dispatch_function(store);
        if (option::is_some(&chosen)) {
            let function = option::borrow(&chosen);
            function_info::load_module_from_function(function);
            dispatchable_withdraw(store, amount, transfer_ref_of(store), function)
        } else {
            fungible_asset::unchecked_withdraw(object::object_address(&store), amount)
        }
    }

    public fun deposit<T: key>(store: Object<T>, fa: FungibleAsset) acquires TransferRefStore {
        fungible_asset::deposit_sanity_check(store, false);
        let chosen = fungible_asset::deposit_dispatch_function(store);
        if (option::is_some(&chosen)) {
            let function = option::borrow(&chosen);
            function_info::load_module_from_function(function);
            dispatchable_deposit(store, fa, transfer_ref_of(store), function)
        } else {
            fungible_asset::unchecked_deposit(object::object_address(&store), fa)
        }
    }

    public entry fun transfer<T: key>(
        sender: &signer, from: Object<T>, to: Object<T>, amount: u64
    ) acquires TransferRefStore {
        deposit(to, withdraw(sender, from, amount));
    }

    public entry fun transfer_assert_minimum_deposit<T: key>(
        sender: &signer, from: Object<T>, to: Object<T>, amount: u64, expected: u64
    ) acquires TransferRefStore {
        let before = fungible_asset::balance(to);
        transfer(sender, from, to, amount);
        let after = fungible_asset::balance(to);
        assert!(after - before >= expected, error::aborted(EAMOUNT_MISMATCH));
    }

    #[view]
    public fun derived_balance<T: key>(store: Object<T>): u64 {
        let chosen = fungible_asset::derived_balance_dispatch_function(store);
        if (option::is_some(&chosen)) {
            let function = option::borrow(&chosen);
            function_info::load_module_from_function(function);
            dispatchable_derived_balance(store, function)
        } else {
            fungible_asset::balance(store)
        }
    }

    inline fun transfer_ref_of<T: key>(store: Object<T>): &TransferRef acquires TransferRefStore {
        let where = object::object_address(&fungible_asset::store_metadata(store));
        assert!(exists<TransferRefStore>(where), error::not_found(ESTORE_NOT_FOUND));
        &borrow_global<TransferRefStore>(where).transfer_ref
    }

    native fun dispatchable_withdraw<T: key>(
        store: Object<T>, amount: u64, transfer_ref: &TransferRef, function: &FunctionInfo
    ): FungibleAsset;

    native fun dispatchable_deposit<T: key>(
        store: Object<T>, fa: FungibleAsset, transfer_ref: &TransferRef, function: &FunctionInfo
    );

    native fun dispatchable_derived_balance<T: key>(
        store: Object<T>, function: &FunctionInfo
    ): u64;
}

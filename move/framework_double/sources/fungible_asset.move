/// Assets whose units are alike, and the stores that hold them.
///
/// A double of the module of the same name on Aptos: same signatures, same aborts, as far as contracts
/// ask. An asset with functions of its own is refused here and goes through
/// `dispatchable_fungible_asset`.
module aptos_framework::fungible_asset {
    use std::error;
    use std::option::{Self, Option};
    use std::signer;
    use std::string::{Self, String};
    use aptos_framework::event;
    use aptos_framework::function_info::FunctionInfo;
    use aptos_framework::object::{Self, ConstructorRef, DeleteRef, Object};

    friend aptos_framework::dispatchable_fungible_asset;
    friend aptos_framework::primary_fungible_store;

    /// Reference and asset are not of the same kind.
    const ETRANSFER_REF_AND_FUNGIBLE_ASSET_MISMATCH: u64 = 2;
    /// The store is frozen.
    const ESTORE_IS_FROZEN: u64 = 3;
    /// There is not so much in it.
    const EINSUFFICIENT_BALANCE: u64 = 4;
    /// More would exist than may.
    const EMAX_SUPPLY_EXCEEDED: u64 = 5;
    /// The two assets are not of the same kind.
    const EFUNGIBLE_ASSET_MISMATCH: u64 = 6;
    /// Reference and store are not of the same kind.
    const EMINT_REF_AND_STORE_MISMATCH: u64 = 7;
    /// The signer does not own the store.
    const ENOT_STORE_OWNER: u64 = 8;
    /// Reference and store are not of the same kind.
    const ETRANSFER_REF_AND_STORE_MISMATCH: u64 = 9;
    /// Reference and store are not of the same kind.
    const EBURN_REF_AND_STORE_MISMATCH: u64 = 10;
    /// Asset and store are not of the same kind.
    const EFUNGIBLE_ASSET_AND_STORE_MISMATCH: u64 = 11;
    /// Something is left of the asset.
    const EAMOUNT_IS_NOT_ZERO: u64 = 12;
    /// Reference and asset are not of the same kind.
    const EBURN_REF_AND_FUNGIBLE_ASSET_MISMATCH: u64 = 13;
    /// Something is left in the store.
    const EBALANCE_IS_NOT_ZERO: u64 = 14;
    /// The name is longer than 32 bytes.
    const ENAME_TOO_LONG: u64 = 15;
    /// The symbol is longer than 32 bytes.
    const ESYMBOL_TOO_LONG: u64 = 16;
    /// More than 32 decimals.
    const EDECIMALS_TOO_LARGE: u64 = 17;
    /// What describes an asset may not be deleted.
    const EOBJECT_IS_DELETABLE: u64 = 18;
    /// The address is longer than 512 bytes.
    const EURI_TOO_LONG: u64 = 19;
    /// Less than nothing would exist.
    const ESUPPLY_UNDERFLOW: u64 = 20;
    /// Nobody counts how much of the asset exists.
    const ESUPPLY_NOT_FOUND: u64 = 21;
    /// There is no store at this address.
    const EFUNGIBLE_STORE_EXISTENCE: u64 = 23;
    /// The asset brings its own function: go through `dispatchable_fungible_asset`.
    const EINVALID_DISPATCHABLE_OPERATIONS: u64 = 28;
    /// The asset has its functions already.
    const EALREADY_REGISTERED: u64 = 29;

    const MAX_NAME_LENGTH: u64 = 32;
    const MAX_SYMBOL_LENGTH: u64 = 32;
    const MAX_DECIMALS: u8 = 32;
    const MAX_URI_LENGTH: u64 = 512;

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    struct Supply has key {
        current: u128,
        maximum: Option<u128>
    }

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    struct Metadata has key, copy, drop {
        name: String,
        symbol: String,
        decimals: u8,
        icon_uri: String,
        project_uri: String
    }

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    struct FungibleStore has key {
        metadata: Object<Metadata>,
        balance: u64,
        frozen: bool
    }

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    struct DispatchFunctionStore has key {
        withdraw_function: Option<FunctionInfo>,
        deposit_function: Option<FunctionInfo>,
        derived_balance_function: Option<FunctionInfo>
    }

    struct FungibleAsset {
        metadata: Object<Metadata>,
        amount: u64
    }

    struct MintRef has drop, store {
        metadata: Object<Metadata>
    }

    struct TransferRef has drop, store {
        metadata: Object<Metadata>
    }

    struct BurnRef has drop, store {
        metadata: Object<Metadata>
    }

    #[event]
    struct Deposit has drop, store {
        store: address,
        amount: u64
    }

    #[event]
    struct Withdraw has drop, store {
        store: address,
        amount: u64
    }

    #[event]
    struct Frozen has drop, store {
        store: address,
        frozen: bool
    }

    #[view]
    public fun supply<T: key>(metadata: Object<T>): Option<u128> acquires Supply {
        let where = object::object_address(&metadata);
        if (exists<Supply>(where)) {
            option::some(borrow_global<Supply>(where).current)
        } else {
            option::none()
        }
    }

    #[view]
    public fun maximum<T: key>(metadata: Object<T>): Option<u128> acquires Supply {
        let where = object::object_address(&metadata);
        if (exists<Supply>(where)) {
            borrow_global<Supply>(where).maximum
        } else {
            option::none()
        }
    }

    #[view]
    public fun name<T: key>(metadata: Object<T>): String acquires Metadata {
        borrow_global<Metadata>(object::object_address(&metadata)).name
    }

    #[view]
    public fun symbol<T: key>(metadata: Object<T>): String acquires Metadata {
        borrow_global<Metadata>(object::object_address(&metadata)).symbol
    }

    #[view]
    public fun decimals<T: key>(metadata: Object<T>): u8 acquires Metadata {
        borrow_global<Metadata>(object::object_address(&metadata)).decimals
    }

    #[view]
    public fun store_exists(store: address): bool {
        exists<FungibleStore>(store)
    }

    #[view]
    public fun store_metadata<T: key>(store: Object<T>): Object<Metadata> acquires FungibleStore {
        borrow_global<FungibleStore>(object::object_address(&store)).metadata
    }

    #[view]
    public fun balance<T: key>(store: Object<T>): u64 acquires FungibleStore {
        let where = object::object_address(&store);
        if (store_exists(where)) borrow_global<FungibleStore>(where).balance else 0
    }

    #[view]
    public fun is_frozen<T: key>(store: Object<T>): bool acquires FungibleStore {
        let where = object::object_address(&store);
        store_exists(where) && borrow_global<FungibleStore>(where).frozen
    }

    #[view]
    public fun is_store_dispatchable<T: key>(store: Object<T>): bool acquires FungibleStore {
        exists<DispatchFunctionStore>(object::object_address(&store_metadata(store)))
    }

    #[view]
    public fun is_asset_type_dispatchable(metadata: Object<Metadata>): bool {
        exists<DispatchFunctionStore>(object::object_address(&metadata))
    }

    public fun add_fungibility(
        constructor_ref: &ConstructorRef,
        maximum_supply: Option<u128>,
        name: String,
        symbol: String,
        decimals: u8,
        icon_uri: String,
        project_uri: String
    ): Object<Metadata> {
        assert!(
            !object::can_generate_delete_ref(constructor_ref),
            error::invalid_argument(EOBJECT_IS_DELETABLE)
        );
        assert!(string::length(&name) <= MAX_NAME_LENGTH, error::out_of_range(ENAME_TOO_LONG));
        assert!(string::length(&symbol) <= MAX_SYMBOL_LENGTH, error::out_of_range(ESYMBOL_TOO_LONG));
        assert!(decimals <= MAX_DECIMALS, error::out_of_range(EDECIMALS_TOO_LARGE));
        assert!(string::length(&icon_uri) <= MAX_URI_LENGTH, error::out_of_range(EURI_TOO_LONG));
        assert!(string::length(&project_uri) <= MAX_URI_LENGTH, error::out_of_range(EURI_TOO_LONG));
        let holder = &object::generate_signer(constructor_ref);
        move_to(holder, Metadata { name, symbol, decimals, icon_uri, project_uri });
        move_to(holder, Supply { current: 0, maximum: maximum_supply });
        object::object_from_constructor_ref<Metadata>(constructor_ref)
    }

    public fun generate_mint_ref(constructor_ref: &ConstructorRef): MintRef {
        MintRef { metadata: object::object_from_constructor_ref<Metadata>(constructor_ref) }
    }

    public fun generate_burn_ref(constructor_ref: &ConstructorRef): BurnRef {
        BurnRef { metadata: object::object_from_constructor_ref<Metadata>(constructor_ref) }
    }

    public fun generate_transfer_ref(constructor_ref: &ConstructorRef): TransferRef {
        TransferRef { metadata: object::object_from_constructor_ref<Metadata>(constructor_ref) }
    }

    public fun mint_ref_metadata(ref: &MintRef): Object<Metadata> {
        ref.metadata
    }

    public fun burn_ref_metadata(ref: &BurnRef): Object<Metadata> {
        ref.metadata
    }

    public fun transfer_ref_metadata(ref: &TransferRef): Object<Metadata> {
        ref.metadata
    }

    public fun create_store<T: key>(
        constructor_ref: &ConstructorRef, metadata: Object<T>
    ): Object<FungibleStore> {
        move_to(
            &object::generate_signer(constructor_ref),
            FungibleStore { metadata: object::convert(metadata), balance: 0, frozen: false }
        );
        object::object_from_constructor_ref<FungibleStore>(constructor_ref)
    }

    public fun remove_store(delete_ref: &DeleteRef) acquires FungibleStore {
        let where = object::address_from_delete_ref(delete_ref);
        let FungibleStore { metadata: _, balance, frozen: _ } = move_from<FungibleStore>(where);
        assert!(balance == 0, error::permission_denied(EBALANCE_IS_NOT_ZERO));
    }

    public fun asset_metadata(fa: &FungibleAsset): Object<Metadata> {
        fa.metadata
    }

    public fun metadata_from_asset(fa: &FungibleAsset): Object<Metadata> {
        fa.metadata
    }

    public fun amount(fa: &FungibleAsset): u64 {
        fa.amount
    }

    public fun zero<T: key>(metadata: Object<T>): FungibleAsset {
        FungibleAsset { metadata: object::convert(metadata), amount: 0 }
    }

    public fun extract(fungible_asset: &mut FungibleAsset, amount: u64): FungibleAsset {
        assert!(
            fungible_asset.amount >= amount, error::invalid_argument(EINSUFFICIENT_BALANCE)
        );
        fungible_asset.amount = fungible_asset.amount - amount;
        FungibleAsset { metadata: fungible_asset.metadata, amount }
    }

    public fun merge(dst_fungible_asset: &mut FungibleAsset, src_fungible_asset: FungibleAsset) {
        let FungibleAsset { metadata, amount } = src_fungible_asset;
        assert!(
            metadata == dst_fungible_asset.metadata,
            error::invalid_argument(EFUNGIBLE_ASSET_MISMATCH)
        );
        dst_fungible_asset.amount = dst_fungible_asset.amount + amount;
    }

    public fun destroy_zero(fungible_asset: FungibleAsset) {
        let FungibleAsset { metadata: _, amount } = fungible_asset;
        assert!(amount == 0, error::invalid_argument(EAMOUNT_IS_NOT_ZERO));
    }

    public fun withdraw<T: key>(owner: &signer, store: Object<T>, amount: u64): FungibleAsset acquires FungibleStore, DispatchFunctionStore {
        withdraw_sanity_check(owner, store, true);
        unchecked_withdraw(object::object_address(&store), amount)
    }

    public fun deposit<T: key>(store: Object<T>, fa: FungibleAsset) acquires FungibleStore, DispatchFunctionStore {
        deposit_sanity_check(store, true);
        unchecked_deposit(object::object_address(&store), fa);
    }

    public entry fun transfer<T: key>(
        sender: &signer, from: Object<T>, to: Object<T>, amount: u64
    ) acquires FungibleStore, DispatchFunctionStore {
        deposit(to, withdraw(sender, from, amount));
    }

    public fun mint(ref: &MintRef, amount: u64): FungibleAsset acquires Supply {
        increase_supply(ref.metadata, amount);
        FungibleAsset { metadata: ref.metadata, amount }
    }

    public fun mint_to<T: key>(ref: &MintRef, store: Object<T>, amount: u64) acquires FungibleStore, Supply, DispatchFunctionStore {
        deposit_sanity_check(store, false);
        unchecked_deposit(object::object_address(&store), mint(ref, amount));
    }

    public fun burn(ref: &BurnRef, fa: FungibleAsset) acquires Supply {
        let FungibleAsset { metadata, amount } = fa;
        assert!(
            ref.metadata == metadata,
            error::invalid_argument(EBURN_REF_AND_FUNGIBLE_ASSET_MISMATCH)
        );
        decrease_supply(metadata, amount);
    }

    public fun burn_from<T: key>(ref: &BurnRef, store: Object<T>, amount: u64) acquires FungibleStore, Supply {
        assert!(
            ref.metadata == store_metadata(store),
            error::invalid_argument(EBURN_REF_AND_STORE_MISMATCH)
        );
        burn(ref, unchecked_withdraw(object::object_address(&store), amount));
    }

    public fun set_frozen_flag<T: key>(ref: &TransferRef, store: Object<T>, frozen: bool) acquires FungibleStore {
        assert!(
            ref.metadata == store_metadata(store),
            error::invalid_argument(ETRANSFER_REF_AND_STORE_MISMATCH)
        );
        let where = object::object_address(&store);
        borrow_global_mut<FungibleStore>(where).frozen = frozen;
        event::emit(Frozen { store: where, frozen });
    }

    public fun withdraw_with_ref<T: key>(
        ref: &TransferRef, store: Object<T>, amount: u64
    ): FungibleAsset acquires FungibleStore {
        assert!(
            ref.metadata == store_metadata(store),
            error::invalid_argument(ETRANSFER_REF_AND_STORE_MISMATCH)
        );
        unchecked_withdraw(object::object_address(&store), amount)
    }

    public fun deposit_with_ref<T: key>(ref: &TransferRef, store: Object<T>, fa: FungibleAsset) acquires FungibleStore {
        assert!(
            ref.metadata == fa.metadata,
            error::invalid_argument(ETRANSFER_REF_AND_FUNGIBLE_ASSET_MISMATCH)
        );
        unchecked_deposit(object::object_address(&store), fa);
    }

    public fun transfer_with_ref<T: key>(
        transfer_ref: &TransferRef, from: Object<T>, to: Object<T>, amount: u64
    ) acquires FungibleStore {
        deposit_with_ref(transfer_ref, to, withdraw_with_ref(transfer_ref, from, amount));
    }

    public(friend) fun withdraw_sanity_check<T: key>(
        owner: &signer, store: Object<T>, abort_on_dispatch: bool
    ) acquires FungibleStore, DispatchFunctionStore {
        assert!(
            object::owns(store, signer::address_of(owner)),
            error::permission_denied(ENOT_STORE_OWNER)
        );
        assert!(
            !abort_on_dispatch || option::is_none(&withdraw_dispatch_function(store)),
            error::invalid_argument(EINVALID_DISPATCHABLE_OPERATIONS)
        );
        assert!(!is_frozen(store), error::permission_denied(ESTORE_IS_FROZEN));
    }

    public(friend) fun deposit_sanity_check<T: key>(store: Object<T>, abort_on_dispatch: bool) acquires FungibleStore, DispatchFunctionStore {
        assert!(
            !abort_on_dispatch || option::is_none(&deposit_dispatch_function(store)),
            error::invalid_argument(EINVALID_DISPATCHABLE_OPERATIONS)
        );
        assert!(!is_frozen(store), error::permission_denied(ESTORE_IS_FROZEN));
    }

    public(friend) fun withdraw_dispatch_function<T: key>(store: Object<T>): Option<FunctionInfo> acquires FungibleStore, DispatchFunctionStore {
        let where = object::object_address(&store_metadata(store));
        if (exists<DispatchFunctionStore>(where)) {
            borrow_global<DispatchFunctionStore>(where).withdraw_function
        } else {
            option::none()
        }
    }

    public(friend) fun deposit_dispatch_function<T: key>(store: Object<T>): Option<FunctionInfo> acquires FungibleStore, DispatchFunctionStore {
        let where = object::object_address(&store_metadata(store));
        if (exists<DispatchFunctionStore>(where)) {
            borrow_global<DispatchFunctionStore>(where).deposit_function
        } else {
            option::none()
        }
    }

    public(friend) fun derived_balance_dispatch_function<T: key>(
        store: Object<T>
    ): Option<FunctionInfo> acquires FungibleStore, DispatchFunctionStore {
        let where = object::object_address(&store_metadata(store));
        if (exists<DispatchFunctionStore>(where)) {
            borrow_global<DispatchFunctionStore>(where).derived_balance_function
        } else {
            option::none()
        }
    }

    public(friend) fun register_dispatch_functions(
        constructor_ref: &ConstructorRef,
        withdraw_function: Option<FunctionInfo>,
        deposit_function: Option<FunctionInfo>,
        derived_balance_function: Option<FunctionInfo>
    ) {
        assert!(
            !object::can_generate_delete_ref(constructor_ref),
            error::invalid_argument(EOBJECT_IS_DELETABLE)
        );
        assert!(
            !exists<DispatchFunctionStore>(object::address_from_constructor_ref(constructor_ref)),
            error::already_exists(EALREADY_REGISTERED)
        );
        move_to(
            &object::generate_signer(constructor_ref),
            DispatchFunctionStore { withdraw_function, deposit_function, derived_balance_function }
        );
    }

    public(friend) fun unchecked_withdraw(store: address, amount: u64): FungibleAsset acquires FungibleStore {
        assert!(store_exists(store), error::not_found(EFUNGIBLE_STORE_EXISTENCE));
        let held = borrow_global_mut<FungibleStore>(store);
        assert!(held.balance >= amount, error::invalid_argument(EINSUFFICIENT_BALANCE));
        if (amount > 0) {
            held.balance = held.balance - amount;
            event::emit(Withdraw { store, amount });
        };
        FungibleAsset { metadata: held.metadata, amount }
    }

    public(friend) fun unchecked_deposit(store: address, fa: FungibleAsset) acquires FungibleStore {
        assert!(store_exists(store), error::not_found(EFUNGIBLE_STORE_EXISTENCE));
        let FungibleAsset { metadata, amount } = fa;
        let held = borrow_global_mut<FungibleStore>(store);
        assert!(
            held.metadata == metadata, error::invalid_argument(EFUNGIBLE_ASSET_AND_STORE_MISMATCH)
        );
        if (amount > 0) {
            held.balance = held.balance + amount;
            event::emit(Deposit { store, amount });
        }
    }

    fun increase_supply(metadata: Object<Metadata>, amount: u64) acquires Supply {
        if (amount == 0) return;
        let where = object::object_address(&metadata);
        assert!(exists<Supply>(where), error::not_found(ESUPPLY_NOT_FOUND));
        let supply = borrow_global_mut<Supply>(where);
        if (option::is_some(&supply.maximum)) {
            assert!(
                *option::borrow(&supply.maximum) - supply.current >= (amount as u128),
                error::out_of_range(EMAX_SUPPLY_EXCEEDED)
            );
        };
        supply.current = supply.current + (amount as u128);
    }

    fun decrease_supply(metadata: Object<Metadata>, amount: u64) acquires Supply {
        if (amount == 0) return;
        let where = object::object_address(&metadata);
        assert!(exists<Supply>(where), error::not_found(ESUPPLY_NOT_FOUND));
        let supply = borrow_global_mut<Supply>(where);
        assert!(
            supply.current >= (amount as u128), error::invalid_state(ESUPPLY_UNDERFLOW)
        );
        supply.current = supply.current - (amount as u128);
    }
}

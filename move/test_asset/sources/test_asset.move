/// An asset for tests and the local chain: whoever makes it may mint it and freeze what holds it.
///
/// It stands where a regulated issuer's asset stands on a real chain, and is never deployed to one.
module capp_test_asset::test_asset {
    use std::error;
    use std::option;
    use std::signer;
    use std::string;
    use aptos_framework::fungible_asset::{Self, FungibleStore, Metadata, MintRef, TransferRef};
    use aptos_framework::object::{Self, Object};
    use aptos_framework::primary_fungible_store;

    // Errors

    /// Only the account that made the asset may mint and freeze.
    const E_NOT_CREATOR: u64 = 1;

    // Structs

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    /// What the issuer needs, kept with the asset.
    struct Issuer has key {
        creator: address,
        mint_ref: MintRef,
        transfer_ref: TransferRef
    }

    // Views

    #[view]
    /// The metadata object of the asset that `creator` made, or would make, by this symbol.
    public fun address_of(creator: address, symbol: vector<u8>): address {
        object::create_object_address(&creator, symbol)
    }

    // Entry functions

    /// Make an asset, named by its creator and its symbol; a second one by the same symbol aborts.
    public entry fun create(creator: &signer, symbol: vector<u8>, decimals: u8) {
        let constructor_ref = &object::create_named_object(creator, symbol);
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            constructor_ref,
            option::none(),
            string::utf8(symbol),
            string::utf8(symbol),
            decimals,
            string::utf8(b""),
            string::utf8(b"")
        );
        move_to(
            &object::generate_signer(constructor_ref),
            Issuer {
                creator: signer::address_of(creator),
                mint_ref: fungible_asset::generate_mint_ref(constructor_ref),
                transfer_ref: fungible_asset::generate_transfer_ref(constructor_ref)
            }
        );
    }

    /// Make `amount` of the asset, in its smallest units, in the primary store of `to`.
    public entry fun mint(creator: &signer, asset: Object<Metadata>, to: address, amount: u64) acquires Issuer {
        primary_fungible_store::mint(&borrow_issuer(creator, asset).mint_ref, to, amount);
    }

    /// Freeze the primary store of `owner`, or thaw it.
    public entry fun freeze_owner(
        creator: &signer, asset: Object<Metadata>, owner: address, frozen: bool
    ) acquires Issuer {
        primary_fungible_store::set_frozen_flag(
            &borrow_issuer(creator, asset).transfer_ref, owner, frozen
        );
    }

    /// Freeze any store of the asset, such as that of a pool, or thaw it.
    public entry fun freeze_store(
        creator: &signer, store: Object<FungibleStore>, frozen: bool
    ) acquires Issuer {
        let issuer = borrow_issuer(creator, fungible_asset::store_metadata(store));
        fungible_asset::set_frozen_flag(&issuer.transfer_ref, store, frozen);
    }

    // Internal

    inline fun borrow_issuer(creator: &signer, asset: Object<Metadata>): &Issuer {
        let issuer = borrow_global<Issuer>(object::object_address(&asset));
        assert!(
            issuer.creator == signer::address_of(creator), error::permission_denied(E_NOT_CREATOR)
        );
        issuer
    }
}

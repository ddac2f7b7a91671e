#[test_only]
/// What every test of pools stands on: a governance with its roles, a registry, an asset, and a pool.
module capp_liquidity::stage {
    use std::option;
    use std::string;
    use aptos_framework::account;
    use aptos_framework::fungible_asset::{Self, BurnRef, FungibleAsset, FungibleStore, Metadata};
    use aptos_framework::fungible_asset::{MintRef, TransferRef};
    use aptos_framework::object::{Self, Object};
    use aptos_framework::primary_fungible_store;
    use capp_compliance::compliance::{Self, Registry};
    use capp_governance::governance::{Self, Governance};
    use capp_liquidity::hungry_asset;
    use capp_liquidity::liquidity::{Self, Pool};

    const OWNER: address = @0xa0;
    const PAUSER: address = @0xa1;
    const OFFICER: address = @0xa2;
    const SETTLER: address = @0xa3;
    const OPERATOR: address = @0xa4;

    struct Stage has drop {
        governance: Object<Governance>,
        registry: Object<Registry>,
        asset: Object<Metadata>,
        mint: MintRef,
        burn: BurnRef,
        transfer: TransferRef
    }

    public fun set(): Stage { set_with(b"", b"") }

    /// With an asset that has functions of its own, see `hungry_asset`.
    public fun set_with(withdraw: vector<u8>, deposit: vector<u8>): Stage {
        let owner = owner();
        let governance = governance::create_governance(&owner, b"house");
        governance::grant(&owner, governance, PAUSER, governance::role_pauser());
        governance::grant(&owner, governance, OFFICER, governance::role_compliance_officer());
        governance::grant(&owner, governance, SETTLER, governance::role_liquidity_manager());
        let registry = compliance::create_registry(&owner, governance, b"book");
        let constructor = object::create_named_object(&owner, b"USDC");
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            &constructor,
            option::none(),
            string::utf8(b"USD Coin"),
            string::utf8(b"USDC"),
            6,
            string::utf8(b""),
            string::utf8(b"")
        );
        hungry_asset::feed(&constructor, withdraw, deposit);
        Stage {
            governance,
            registry,
            asset: object::object_from_constructor_ref<Metadata>(&constructor),
            mint: fungible_asset::generate_mint_ref(&constructor),
            burn: fungible_asset::generate_burn_ref(&constructor),
            transfer: fungible_asset::generate_transfer_ref(&constructor)
        }
    }

    /// A pool outside a corridor, settled by an account; Ada, Bob and Eve may provide.
    public fun pool(self: &Stage): Object<Pool> {
        liquidity::create(
            &settler(), self.governance, self.registry, self.asset, OPERATOR, b"pool"
        );
        let pool = object::address_to_object<Pool>(liquidity::address_of(SETTLER, b"pool"));
        vector[@0xada, @0xb0b, @0xe4e].for_each_ref(|provider| {
            liquidity::admit(&operator(), pool, *provider);
        });
        pool
    }

    public fun governance(self: &Stage): Object<Governance> { self.governance }

    public fun registry(self: &Stage): Object<Registry> { self.registry }

    public fun asset(self: &Stage): Object<Metadata> { self.asset }

    public fun owner(): signer { account::create_signer_for_test(OWNER) }

    public fun pauser(): signer { account::create_signer_for_test(PAUSER) }

    public fun settler(): signer { account::create_signer_for_test(SETTLER) }

    public fun operator(): signer { account::create_signer_for_test(OPERATOR) }

    public fun somebody(who: address): signer { account::create_signer_for_test(who) }

    /// An account with so much of the asset.
    public fun rich(self: &Stage, who: address, amount: u64): signer {
        primary_fungible_store::mint(&self.mint, who, amount);
        somebody(who)
    }

    public fun minted(self: &Stage, amount: u64): FungibleAsset {
        fungible_asset::mint(&self.mint, amount)
    }

    public fun purse(self: &Stage, who: address): u64 {
        primary_fungible_store::balance(who, self.asset)
    }

    public fun bank(who: address, paid: FungibleAsset) {
        primary_fungible_store::deposit(who, paid);
    }

    public fun bar(self: &Stage, who: address) {
        let subjects = vector[compliance::subject_of(who)];
        compliance::bar(&somebody(OFFICER), self.registry, 1, subjects, vector[7]);
    }

    public fun pause(self: &Stage) {
        governance::pause(&pauser(), self.governance);
    }

    public fun freeze_store(self: &Stage, store: address, frozen: bool) {
        let store = object::address_to_object<FungibleStore>(store);
        fungible_asset::set_frozen_flag(&self.transfer, store, frozen);
    }

    /// The issuer takes from a store, whoever owns it.
    public fun seize(self: &Stage, store: address, amount: u64) {
        let store = object::address_to_object<FungibleStore>(store);
        fungible_asset::burn_from(&self.burn, store, amount);
    }

    public fun balance_of(store: address): u64 {
        fungible_asset::balance(object::address_to_object<FungibleStore>(store))
    }

    /// What must hold of a pool at any moment, these being all who ever had to do with it.
    public fun audit(pool: Object<Pool>, everybody: &vector<address>) {
        let (shares, due) = (0, 0);
        let earned = (liquidity::fee_carry_for_test(pool) as u256);
        everybody.for_each_ref(|who| {
            let who = *who;
            shares += liquidity::shares_of(pool, who);
            due += liquidity::fees_due(pool, who);
            earned += liquidity::earned_for_test(pool, who);
        });
        assert!(shares == liquidity::shares(pool));
        assert!(liquidity::total(pool) == balance_of(liquidity::funds_of(pool)));
        assert!(liquidity::fees_held(pool) == balance_of(liquidity::fee_store_of(pool)));
        assert!(liquidity::reserved(pool) <= liquidity::total(pool));
        assert!(shares > 0 || liquidity::total(pool) == 0);
        assert!(due <= liquidity::fees_held(pool));
        assert!(earned == ((liquidity::fees_held(pool) as u256) << 64));
    }
}

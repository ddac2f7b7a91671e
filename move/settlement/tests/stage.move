#[test_only]
/// What every test of corridors stands on: a governance with its roles, a registry, an asset, a corridor of
/// three members with funds in every pool, and three approvers of whom two must sign.
module capp_settlement::stage {
    use std::option;
    use std::string;
    use aptos_std::ed25519::{Self, SecretKey};
    use aptos_framework::account;
    use aptos_framework::chain_id;
    use aptos_framework::fungible_asset::{Self, FungibleStore, Metadata, MintRef, TransferRef};
    use aptos_framework::object::{Self, Object};
    use aptos_framework::primary_fungible_store;
    use aptos_framework::timestamp;
    use capp_compliance::compliance::{Self, Registry};
    use capp_governance::governance::{Self, Governance};
    use capp_liquidity::liquidity::{Self, Pool};
    use capp_settlement::settlement::{Self, Corridor};

    const OWNER: address = @0xa0;
    const PAUSER: address = @0xa1;
    const OFFICER: address = @0xa2;
    const MANAGER: address = @0xa3;
    const SUBMITTER: address = @0xa4;
    const ARBITER: address = @0xa5;
    const FIRST: address = @0xb0;
    const SECOND: address = @0xb1;
    const THIRD: address = @0xb2;

    const NOW: u64 = 1_700_000_000;
    const BATCH_ID: vector<u8> = x"000102030405060708090a0b0c0d0e0f";

    struct Stage has drop {
        governance: Object<Governance>,
        registry: Object<Registry>,
        asset: Object<Metadata>,
        mint: MintRef,
        transfer: TransferRef,
        corridor: Object<Corridor>,
        secrets: vector<SecretKey>,
        keys: vector<vector<u8>>
    }

    /// Terms of a batch, with everything that a test may want to bend.
    struct Draft has copy, drop {
        batch_id: vector<u8>,
        root: vector<u8>,
        count: u64,
        debits: vector<u64>,
        credits: vector<u64>,
        expires_at: u64,
        indexes: vector<u64>,
        signatures: vector<vector<u8>>
    }

    /// Each pool has a million; the clock stands at 1,700,000,000 and the chain is number 4.
    public fun set(): Stage {
        let framework = somebody(@0x1);
        timestamp::set_time_has_started_for_testing(&framework);
        timestamp::update_global_time_for_test_secs(NOW);
        chain_id::initialize_for_test(&framework, 4);
        let (governance, registry) = rule();
        let constructor = object::create_named_object(&owner(), b"USDC");
        let asset = make_asset(&constructor);
        let (secrets, keys) = make_keys(3);
        let corridor =
            settlement::make_corridor(
                &manager(), governance, registry, asset, b"corridor", members(), keys, 2
            );
        let stage = Stage {
            governance,
            registry,
            asset,
            mint: fungible_asset::generate_mint_ref(&constructor),
            transfer: fungible_asset::generate_transfer_ref(&constructor),
            corridor,
            secrets,
            keys
        };
        for (i in 0..3) {
            let member = members()[i];
            primary_fungible_store::mint(&stage.mint, member, 1_000_000);
            liquidity::provide(&somebody(member), stage.pool(i), 1_000_000);
        };
        stage
    }

    fun rule(): (Object<Governance>, Object<Registry>) {
        let owner = owner();
        let governance = governance::create_governance(&owner, b"house");
        governance::grant(&owner, governance, PAUSER, governance::role_pauser());
        governance::grant(&owner, governance, OFFICER, governance::role_compliance_officer());
        governance::grant(&owner, governance, MANAGER, governance::role_corridor_manager());
        governance::grant(&owner, governance, SUBMITTER, governance::role_submitter());
        governance::grant(&owner, governance, ARBITER, governance::role_arbiter());
        (governance, compliance::create_registry(&owner, governance, b"book"))
    }

    fun make_asset(constructor: &object::ConstructorRef): Object<Metadata> {
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            constructor,
            option::none(),
            string::utf8(b"USD Coin"),
            string::utf8(b"USDC"),
            6,
            string::utf8(b""),
            string::utf8(b"")
        );
        object::object_from_constructor_ref<Metadata>(constructor)
    }

    /// The one place that knows how tests make keys.
    public fun make_keys(count: u64): (vector<SecretKey>, vector<vector<u8>>) {
        let (secrets, keys) = (vector[], vector[]);
        for (_i in 0..count) {
            let (secret, key) = ed25519::generate_key_pair();
            secrets.push_back(secret);
            keys.push_back(ed25519::unvalidated_public_key_to_bytes(&key));
        };
        (secrets, keys)
    }

    public fun sign(secret: &SecretKey, message: vector<u8>): vector<u8> {
        ed25519::signature_to_bytes(&ed25519::sign_arbitrary_bytes(secret, message))
    }

    public fun governance(self: &Stage): Object<Governance> { self.governance }

    public fun registry(self: &Stage): Object<Registry> { self.registry }

    public fun asset(self: &Stage): Object<Metadata> { self.asset }

    public fun corridor(self: &Stage): Object<Corridor> { self.corridor }

    public fun secret(self: &Stage, i: u64): &SecretKey { &self.secrets[i] }

    public fun keys(self: &Stage): vector<vector<u8>> { self.keys }

    public fun members(): vector<address> { vector[FIRST, SECOND, THIRD] }

    public fun member(i: u64): signer { somebody(members()[i]) }

    public fun owner(): signer { somebody(OWNER) }

    public fun manager(): signer { somebody(MANAGER) }

    public fun submitter(): signer { somebody(SUBMITTER) }

    public fun arbiter(): signer { somebody(ARBITER) }

    public fun somebody(who: address): signer { account::create_signer_for_test(who) }

    public fun now(): u64 { NOW }

    public fun batch_id(): vector<u8> { BATCH_ID }

    public fun pool(self: &Stage, i: u64): Object<Pool> {
        object::address_to_object<Pool>(settlement::pool_of(self.corridor, i))
    }

    public fun total(self: &Stage, i: u64): u64 { liquidity::total(self.pool(i)) }

    public fun bound(self: &Stage, bound: u8, value: u64) {
        governance::set_bound(&owner(), self.governance, bound, value);
    }

    public fun pause(self: &Stage) {
        governance::pause(&somebody(PAUSER), self.governance);
    }

    public fun unpause(self: &Stage) {
        governance::unpause(&owner(), self.governance);
    }

    public fun pause_pool(self: &Stage, i: u64) {
        liquidity::pause_pool(&somebody(PAUSER), self.pool(i));
    }

    public fun bar(self: &Stage, who: address) {
        let subjects = vector[compliance::subject_of(who)];
        compliance::bar(&somebody(OFFICER), self.registry, 1, subjects, vector[7]);
    }

    public fun freeze_pool(self: &Stage, i: u64, frozen: bool) {
        let funds = liquidity::funds_of(self.pool(i));
        let store = object::address_to_object<FungibleStore>(funds);
        fungible_asset::set_frozen_flag(&self.transfer, store, frozen);
    }

    /// The three pools have in their stores what they have written down, and what they had together.
    public fun audit(self: &Stage) {
        let all = 0;
        for (i in 0..3) {
            let pool = self.pool(i);
            let funds = object::address_to_object<FungibleStore>(liquidity::funds_of(pool));
            assert!(fungible_asset::balance(funds) == liquidity::total(pool));
            assert!(liquidity::reserved(pool) <= liquidity::total(pool));
            all += liquidity::total(pool);
        };
        assert!(all == 3_000_000);
    }

    // Batches

    /// A good batch: the first owes 500, the others are owed 300 and 200; a root of one leaf.
    public fun draft(root: vector<u8>, count: u64): Draft {
        Draft {
            batch_id: BATCH_ID,
            root,
            count,
            debits: vector[500, 0, 0],
            credits: vector[0, 300, 200],
            expires_at: NOW + 3_600,
            indexes: vector[0, 2],
            signatures: vector[]
        }
    }

    public fun with_id(self: Draft, batch_id: vector<u8>): Draft {
        self.batch_id = batch_id;
        self
    }

    public fun with_nets(self: Draft, debits: vector<u64>, credits: vector<u64>): Draft {
        self.debits = debits;
        self.credits = credits;
        self
    }

    public fun with_expiry(self: Draft, expires_at: u64): Draft {
        self.expires_at = expires_at;
        self
    }

    public fun with_indexes(self: Draft, indexes: vector<u64>): Draft {
        self.indexes = indexes;
        self
    }

    public fun with_root(self: Draft, root: vector<u8>): Draft {
        self.root = root;
        self
    }

    public fun with_count(self: Draft, count: u64): Draft {
        self.count = count;
        self
    }

    public fun with_signatures(self: Draft, signatures: vector<vector<u8>>): Draft {
        self.signatures = signatures;
        self
    }

    public fun signatures(self: &Draft): vector<vector<u8>> { self.signatures }

    public fun hash(self: &Draft, stage: &Stage): vector<u8> {
        settlement::terms_hash(
            stage.corridor,
            self.batch_id,
            self.root,
            self.count,
            self.debits,
            self.credits,
            self.expires_at
        )
    }

    /// Signs the draft as it stands with the keys that its indexes name, those there are.
    public fun signed(self: Draft, stage: &Stage): Draft {
        let message = self.hash(stage);
        self.signatures = self.indexes.map_ref(|i| {
            sign(&stage.secrets[*i % 3], message)
        });
        self
    }

    public fun settle_by(self: Draft, stage: &Stage, who: &signer) {
        settlement::settle(
            who,
            stage.corridor,
            self.batch_id,
            self.root,
            self.count,
            self.debits,
            self.credits,
            self.expires_at,
            self.indexes,
            self.signatures
        );
    }

    public fun settle(self: Draft, stage: &Stage) {
        self.settle_by(stage, &submitter());
    }
}

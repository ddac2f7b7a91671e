/// Corridors: what operators owe each other through us, squared in batches that they have approved, with
/// the Merkle root of the payments, so that anyone can check that a payment was in a settled batch.
///
/// It knows nothing of phone numbers, customers or currencies; a payment is a hash, an operator an index.
module capp_settlement::settlement {
    use std::bcs;
    use std::error;
    use std::hash;
    use std::signer;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::fungible_asset::{Self, Metadata};
    use aptos_framework::object::{Self, ExtendRef, Object};
    use aptos_framework::timestamp;
    use capp_compliance::compliance::{Self, Registry};
    use capp_governance::governance::{Self, Governance};
    use capp_liquidity::liquidity::{Self, Pool};
    use capp_settlement::approvals::{Self, Approvers};
    use capp_settlement::disputes::{Self, Dispute};
    use capp_settlement::merkle;
    use capp_settlement::terms;

    // Errors

    /// A batch id has 16 bytes.
    const E_BATCH_ID: u64 = 1;
    /// The batch was settled already: read its record.
    const E_BATCH_EXISTS: u64 = 2;
    /// No batch of this id was settled.
    const E_NO_BATCH: u64 = 3;
    /// A Merkle root, a leaf's hash and a hash of evidence have 32 bytes.
    const E_HASH_LENGTH: u64 = 4;
    /// There is not one debit and one credit for each member.
    const E_NET_COUNT: u64 = 5;
    /// A batch has at least one payment.
    const E_NO_PAYMENTS: u64 = 6;
    /// A member would both pay and be paid: its net is one of the two.
    const E_BOTH_SIDES: u64 = 7;
    /// Debits and credits are not the same in sum.
    const E_UNBALANCED: u64 = 8;
    /// The batch would move more than the governance lets one batch move.
    const E_TOO_LARGE: u64 = 9;
    /// The approvals have expired.
    const E_EXPIRED: u64 = 10;
    /// The approvals would be good for longer than the governance lets them.
    const E_EXPIRES_TOO_LATE: u64 = 11;
    /// A corridor has 2 to 32 members.
    const E_MEMBER_COUNT: u64 = 12;
    /// The same account is given for two members.
    const E_MEMBER_REPEATED: u64 = 13;
    /// There is no member of that index.
    const E_UNKNOWN_MEMBER: u64 = 14;
    /// The account is not that member's.
    const E_NOT_MEMBER: u64 = 15;
    /// A member cannot dispute with itself.
    const E_SAME_MEMBER: u64 = 16;
    /// Nothing is disputed: the amount must be above zero.
    const E_ZERO: u64 = 17;
    /// The time to dispute a payment of this batch is over.
    const E_DISPUTE_LATE: u64 = 18;
    /// The payment was not in this batch, by this proof.
    const E_BAD_PROOF: u64 = 19;
    /// The member has disputed the payment already.
    const E_DISPUTE_EXISTS: u64 = 20;
    /// There is no dispute of this id.
    const E_NO_DISPUTE: u64 = 21;
    /// The registry belongs to another governance than the corridor.
    const E_OTHER_GOVERNANCE: u64 = 22;
    /// More is disputed than the governance lets one dispute hold.
    const E_DISPUTE_TOO_LARGE: u64 = 23;

    // Constants

    /// How long the id of a batch is.
    const BATCH_ID_BYTES: u64 = 16;
    /// How long every hash is.
    const HASH_BYTES: u64 = 32;
    /// The fewest members that can owe each other.
    const MEMBERS_MIN: u64 = 2;
    /// The most members of a corridor: every one is checked, and may be moved, in one call.
    const MEMBERS_MAX: u64 = 32;

    // Structs

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    /// One corridor: who settles with whom, in what, and all that was settled.
    ///
    /// Its signer is the settler of its members' pools. The object cannot be handed on, and whom the object
    /// framework calls its owner has no say.
    struct Corridor has key {
        governance: Object<Governance>,
        registry: Object<Registry>,
        asset: Object<Metadata>,
        /// The members' accounts; a member is known by its index.
        members: vector<address>,
        /// One a member, in their order.
        pools: vector<Object<Pool>>,
        approvers: Approvers,
        /// By batch id.
        batches: Table<vector<u8>, Batch>,
        /// By dispute id.
        disputes: Table<vector<u8>, Dispute>,
        /// Signs to the pools, and for resources of later versions at the same address.
        extend_ref: ExtendRef
    }

    /// What was settled.
    struct Batch has copy, drop, store {
        terms_hash: vector<u8>,
        merkle_root: vector<u8>,
        payment_count: u64,
        debits: vector<u64>,
        credits: vector<u64>,
        /// Seconds of the chain's clock.
        settled_at: u64
    }

    // Events

    #[event]
    /// A corridor was made.
    struct CorridorCreated has drop, store {
        corridor: address,
        governance: address,
        registry: address,
        asset: address,
        manager: address,
        members: vector<address>,
        pools: vector<address>,
        approvers: vector<vector<u8>>,
        threshold: u64
    }

    #[event]
    /// Other keys approve from here on.
    struct ApproversSet has drop, store {
        corridor: address,
        by: address,
        approvers_before: vector<vector<u8>>,
        approvers_after: vector<vector<u8>>,
        threshold_before: u64,
        threshold_after: u64
    }

    #[event]
    /// A batch was settled, once and for all.
    struct Settled has drop, store {
        corridor: address,
        batch_id: vector<u8>,
        terms_hash: vector<u8>,
        merkle_root: vector<u8>,
        payment_count: u64,
        amount: u64,
        submitter: address,
        approver_indexes: vector<u64>,
        settled_at: u64
    }

    #[event]
    /// What a batch did to one member's pool; one of debit and credit is 0.
    struct Leg has drop, store {
        corridor: address,
        batch_id: vector<u8>,
        member: u64,
        pool: address,
        debit: u64,
        credit: u64,
        total_before: u64,
        total_after: u64
    }

    #[event]
    /// A member disputes a payment; the amount is reserved in the other's pool.
    struct DisputeOpened has drop, store {
        corridor: address,
        dispute_id: vector<u8>,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>,
        member: u64,
        against: u64,
        amount: u64,
        opened_at: u64
    }

    #[event]
    /// The other member answered, with the hash of its evidence.
    struct DisputeAnswered has drop, store {
        corridor: address,
        dispute_id: vector<u8>,
        accepts: bool,
        evidence_hash: vector<u8>,
        status_before: u8,
        status_after: u8
    }

    #[event]
    /// The arbiter decided.
    struct DisputeResolved has drop, store {
        corridor: address,
        dispute_id: vector<u8>,
        arbiter: address,
        refund: u64,
        status_before: u8,
        status_after: u8
    }

    #[event]
    /// What was decided was paid, the rest of what was reserved released, and the dispute is over.
    struct Refunded has drop, store {
        corridor: address,
        dispute_id: vector<u8>,
        member: u64,
        against: u64,
        refund: u64,
        released: u64
    }

    // Views

    #[view]
    /// Where the corridor of this creator and seed is, whether it is made yet or not.
    public fun corridor_address(creator: address, seed: vector<u8>): address {
        object::create_object_address(&creator, seed)
    }

    #[view]
    /// The pool of a member. Aborts E_UNKNOWN_MEMBER.
    public fun pool_of(c: Object<Corridor>, member: u64): address acquires Corridor {
        let corridor = read(c);
        assert_member_known(corridor, member);
        object::object_address(&corridor.pools[member])
    }

    #[view]
    /// The members' accounts, in order.
    public fun members(c: Object<Corridor>): vector<address> acquires Corridor {
        read(c).members
    }

    #[view]
    /// How many approvers must sign a batch.
    public fun threshold(c: Object<Corridor>): u64 acquires Corridor {
        read(c).approvers.threshold()
    }

    #[view]
    /// The approvers' Ed25519 public keys, in order.
    public fun approvers(c: Object<Corridor>): vector<vector<u8>> acquires Corridor {
        read(c).approvers.keys()
    }

    #[view]
    /// What the corridor settles in.
    public fun asset(c: Object<Corridor>): Object<Metadata> acquires Corridor {
        read(c).asset
    }

    #[view]
    /// Whose pause, roles and bounds count here.
    public fun governance_of(c: Object<Corridor>): Object<Governance> acquires Corridor {
        read(c).governance
    }

    #[view]
    /// Who is barred is read here.
    public fun registry_of(c: Object<Corridor>): Object<Registry> acquires Corridor {
        read(c).registry
    }

    #[view]
    /// The 32 bytes that approvers sign for these terms, on this chain and for this corridor.
    public fun terms_hash(
        c: Object<Corridor>,
        batch_id: vector<u8>,
        merkle_root: vector<u8>,
        payment_count: u64,
        debits: vector<u64>,
        credits: vector<u64>,
        expires_at: u64
    ): vector<u8> {
        terms::new(
            object::object_address(&c),
            batch_id,
            merkle_root,
            payment_count,
            debits,
            credits,
            expires_at
        ).hash()
    }

    #[view]
    /// Whether the batch was settled.
    public fun is_settled(c: Object<Corridor>, batch_id: vector<u8>): bool acquires Corridor {
        table::contains(&read(c).batches, batch_id)
    }

    #[view]
    /// What was settled: hash of the terms, Merkle root, count of payments, debits, credits, and when in
    /// seconds of the chain's clock. Aborts E_NO_BATCH.
    public fun batch(
        c: Object<Corridor>, batch_id: vector<u8>
    ): (vector<u8>, vector<u8>, u64, vector<u64>, vector<u64>, u64) acquires Corridor {
        let batch = *batch_of(read(c), batch_id);
        (
            batch.terms_hash,
            batch.merkle_root,
            batch.payment_count,
            batch.debits,
            batch.credits,
            batch.settled_at
        )
    }

    #[view]
    /// Whether a payment was in a settled batch, at this index, by this proof. Of a batch that was not
    /// settled: no.
    public fun verify_payment(
        c: Object<Corridor>,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>,
        leaf_index: u64,
        proof: vector<vector<u8>>
    ): bool acquires Corridor {
        is_settled(c, batch_id)
            && includes(batch_of(read(c), batch_id), leaf_hash, leaf_index, &proof)
    }

    #[view]
    /// The id of the one dispute that a member can have about a payment. The member is part of it, else
    /// whoever is to be disputed could open one first and be safe.
    public fun dispute_id(
        c: Object<Corridor>,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>,
        member: u64
    ): vector<u8> {
        let preimage = bcs::to_bytes(&object::object_address(&c));
        preimage.append(batch_id);
        preimage.append(leaf_hash);
        preimage.append(bcs::to_bytes(&member));
        hash::sha3_256(preimage)
    }

    #[view]
    /// A dispute: status (1 open, 2 contested, 3 ruled, 4 closed), member, against, amount, refund, when it
    /// was opened in seconds of the chain's clock, batch id, hash of the leaf. Aborts E_NO_DISPUTE.
    public fun dispute(
        c: Object<Corridor>, dispute_id: vector<u8>
    ): (u8, u64, u64, u64, u64, u64, vector<u8>, vector<u8>) acquires Corridor {
        let corridor = read(c);
        assert_disputed(corridor, dispute_id);
        let dispute = table::borrow(&corridor.disputes, dispute_id);
        (
            dispute.status(),
            dispute.member(),
            dispute.against(),
            dispute.amount(),
            dispute.refund(),
            dispute.opened_at(),
            dispute.batch_id(),
            dispute.leaf_hash()
        )
    }

    // Public functions

    /// Makes a corridor with one empty pool a member, operated by the member. Anybody with the role may;
    /// whoever relies on a corridor names it.
    /// Aborts governance's E_PAUSED and E_NOT_IN_ROLE, E_OTHER_GOVERNANCE, E_MEMBER_COUNT, E_MEMBER_REPEATED,
    /// what `approvals::new` aborts with, the object module's EOBJECT_EXISTS (0x80001) on the same creator
    /// and seed again, and liquidity's E_NO_OPERATOR.
    public fun make_corridor(
        manager: &signer,
        g: Object<Governance>,
        r: Object<Registry>,
        asset: Object<Metadata>,
        seed: vector<u8>,
        members: vector<address>,
        approver_keys: vector<vector<u8>>,
        threshold: u64
    ): Object<Corridor> {
        let manager_address = signer::address_of(manager);
        governance::assert_not_paused(g);
        governance::assert_role(g, manager_address, governance::role_corridor_manager());
        assert!(compliance::governance_of(r) == g, error::invalid_argument(E_OTHER_GOVERNANCE));
        assert_members(&members);
        let approvers = approvals::new(approver_keys, threshold);
        let constructor = object::create_named_object(manager, seed);
        object::disable_ungated_transfer(&object::generate_transfer_ref(&constructor));
        let corridor_signer = object::generate_signer(&constructor);
        let pools = create_pools(&corridor_signer, g, r, asset, &members);
        move_to(
            &corridor_signer,
            Corridor {
                governance: g,
                registry: r,
                asset,
                members,
                pools,
                approvers,
                batches: table::new(),
                disputes: table::new(),
                extend_ref: object::generate_extend_ref(&constructor)
            }
        );
        event::emit(
            CorridorCreated {
                corridor: object::address_from_constructor_ref(&constructor),
                governance: object::object_address(&g),
                registry: object::object_address(&r),
                asset: object::object_address(&asset),
                manager: manager_address,
                members,
                pools: pools.map_ref(|pool| object::object_address(pool)),
                approvers: approver_keys,
                threshold
            }
        );
        object::object_from_constructor_ref<Corridor>(&constructor)
    }

    // Entry functions: corridors

    /// As `make_corridor`.
    public entry fun create_corridor(
        manager: &signer,
        g: Object<Governance>,
        r: Object<Registry>,
        asset: Object<Metadata>,
        seed: vector<u8>,
        members: vector<address>,
        approver_keys: vector<vector<u8>>,
        threshold: u64
    ) {
        make_corridor(manager, g, r, asset, seed, members, approver_keys, threshold);
    }

    /// The owner of the governance has other keys approve. Approvals by the keys before are worth nothing
    /// from here on, also for terms not settled yet. Works while paused: a stolen key is why one pauses.
    /// A repeat changes nothing. Aborts governance's E_NOT_OWNER, and what `approvals::new` aborts with.
    public entry fun set_approvers(
        owner: &signer,
        c: Object<Corridor>,
        approver_keys: vector<vector<u8>>,
        threshold: u64
    ) acquires Corridor {
        let by = signer::address_of(owner);
        let corridor = write(c);
        governance::assert_owner(corridor.governance, by);
        let approvers_before = corridor.approvers.keys();
        let threshold_before = corridor.approvers.threshold();
        corridor.approvers = approvals::new(approver_keys, threshold);
        event::emit(
            ApproversSet {
                corridor: object::object_address(&c),
                by,
                approvers_before,
                approvers_after: approver_keys,
                threshold_before,
                threshold_after: threshold
            }
        );
    }

    // Entry functions: settlement

    /// Settles a batch: moves what members owe from the debtors' pools to the creditors', and writes down
    /// the root of its payments. All or nothing, and once: a repeat aborts E_BATCH_EXISTS, which means that
    /// it is done.
    ///
    /// Aborts, in this order: governance's E_PAUSED and E_NOT_IN_ROLE; E_BATCH_ID, E_BATCH_EXISTS;
    /// E_HASH_LENGTH, E_NET_COUNT, approvals' E_APPROVAL_COUNT; E_NO_PAYMENTS, E_BOTH_SIDES, E_UNBALANCED,
    /// E_TOO_LARGE; E_EXPIRED, E_EXPIRES_TOO_LATE; approvals' E_APPROVER_REPEATED, E_APPROVER_UNKNOWN,
    /// E_TOO_FEW_APPROVALS, E_BAD_APPROVAL; compliance's E_BARRED; then what liquidity aborts with.
    public entry fun settle(
        submitter: &signer,
        c: Object<Corridor>,
        batch_id: vector<u8>,
        merkle_root: vector<u8>,
        payment_count: u64,
        debits: vector<u64>,
        credits: vector<u64>,
        expires_at: u64,
        approver_indexes: vector<u64>,
        signatures: vector<vector<u8>>
    ) acquires Corridor {
        let corridor = write(c);
        let submitter_address = signer::address_of(submitter);
        governance::assert_not_paused(corridor.governance);
        governance::assert_role(
            corridor.governance, submitter_address, governance::role_submitter()
        );
        assert_new_batch(corridor, batch_id);
        assert!(merkle_root.length() == HASH_BYTES, error::invalid_argument(E_HASH_LENGTH));
        assert_net_count(corridor, &debits, &credits);
        approvals::assert_paired(&approver_indexes, &signatures);
        assert!(payment_count > 0, error::invalid_argument(E_NO_PAYMENTS));
        let amount = balanced_amount(corridor, &debits, &credits);
        assert_timely(corridor, expires_at);
        let approved =
            terms_hash(c, batch_id, merkle_root, payment_count, debits, credits, expires_at);
        corridor.approvers.assert_approved(approved, &approver_indexes, &signatures);
        assert_all_clear(corridor);
        let settled_at = timestamp::now_seconds();
        table::add(
            &mut corridor.batches,
            batch_id,
            Batch {
                terms_hash: approved,
                merkle_root,
                payment_count,
                debits,
                credits,
                settled_at
            }
        );
        event::emit(
            Settled {
                corridor: object::object_address(&c),
                batch_id,
                terms_hash: approved,
                merkle_root,
                payment_count,
                amount,
                submitter: submitter_address,
                approver_indexes,
                settled_at
            }
        );
        move_nets(c, corridor, batch_id, &debits, &credits);
    }

    // Entry functions: disputes

    /// A member claims that another owes it something back for a payment, and shows that the payment was in
    /// the batch; the amount is reserved in the other's pool until the dispute is over. The chain cannot see
    /// what the payment was worth: the governance bounds the amount, and the arbiter rules.
    ///
    /// Aborts, in this order: governance's E_PAUSED; E_NO_BATCH; E_UNKNOWN_MEMBER, E_SAME_MEMBER,
    /// E_NOT_MEMBER, compliance's E_BARRED; E_ZERO, E_DISPUTE_TOO_LARGE; E_DISPUTE_LATE; E_DISPUTE_EXISTS (at
    /// a repeat too); E_BAD_PROOF; then what `liquidity::reserve` aborts with.
    public entry fun open_dispute(
        member_signer: &signer,
        c: Object<Corridor>,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>,
        leaf_index: u64,
        proof: vector<vector<u8>>,
        member: u64,
        against: u64,
        amount: u64
    ) acquires Corridor {
        let corridor = write(c);
        governance::assert_not_paused(corridor.governance);
        let batch = *batch_of(corridor, batch_id);
        assert_member_known(corridor, member);
        assert_member_known(corridor, against);
        assert!(member != against, error::invalid_argument(E_SAME_MEMBER));
        assert_member(corridor, member, member_signer);
        compliance::assert_clear(corridor.registry, corridor.members[member]);
        assert_amount_disputable(corridor, amount);
        let opened_at = timestamp::now_seconds();
        assert_disputable(corridor, &batch, opened_at);
        let id = dispute_id(c, batch_id, leaf_hash, member);
        assert!(
            !table::contains(&corridor.disputes, id), error::already_exists(E_DISPUTE_EXISTS)
        );
        assert!(
            includes(&batch, leaf_hash, leaf_index, &proof),
            error::invalid_argument(E_BAD_PROOF)
        );
        table::add(
            &mut corridor.disputes,
            id,
            disputes::open(member, against, amount, opened_at, batch_id, leaf_hash)
        );
        event::emit(
            DisputeOpened {
                corridor: object::object_address(&c),
                dispute_id: id,
                batch_id,
                leaf_hash,
                member,
                against,
                amount,
                opened_at
            }
        );
        liquidity::reserve(&signer_of(corridor), corridor.pools[against], id, amount);
    }

    /// The member that a dispute is against accepts it, and the whole amount is ruled; or it does not, and
    /// the arbiter rules. It may answer as long as nobody has ruled, also while paused: the time to answer
    /// runs on, and no money moves by an answer.
    ///
    /// Aborts, in this order: E_NO_DISPUTE; E_NOT_MEMBER; E_HASH_LENGTH; disputes'
    /// E_NOT_OPEN (at a repeat too).
    public entry fun answer_dispute(
        member_signer: &signer,
        c: Object<Corridor>,
        dispute_id: vector<u8>,
        accepts: bool,
        evidence_hash: vector<u8>
    ) acquires Corridor {
        let corridor = write(c);
        let against = dispute_of(corridor, dispute_id).against();
        assert_member(corridor, against, member_signer);
        assert!(evidence_hash.length() == HASH_BYTES, error::invalid_argument(E_HASH_LENGTH));
        let dispute = dispute_of(corridor, dispute_id);
        let status_before = dispute.status();
        dispute.answer(accepts);
        event::emit(
            DisputeAnswered {
                corridor: object::object_address(&c),
                dispute_id,
                accepts,
                evidence_hash,
                status_before,
                status_after: dispute.status()
            }
        );
    }

    /// The arbiter decides what of the amount is refunded, from nothing to all: of a contested dispute, or
    /// of an open one once the time to answer is over.
    ///
    /// Aborts, in this order: governance's E_PAUSED and E_NOT_IN_ROLE; E_NO_DISPUTE; disputes' E_RULED (at a
    /// repeat too), E_ANSWER_PENDING, E_REFUND_TOO_LARGE.
    public entry fun resolve_dispute(
        arbiter: &signer,
        c: Object<Corridor>,
        dispute_id: vector<u8>,
        refund: u64
    ) acquires Corridor {
        let corridor = write(c);
        let arbiter_address = signer::address_of(arbiter);
        let g = corridor.governance;
        governance::assert_not_paused(g);
        governance::assert_role(g, arbiter_address, governance::role_arbiter());
        let dispute = dispute_of(corridor, dispute_id);
        let status_before = dispute.status();
        let answer_until =
            dispute.opened_at() + governance::bound(g, governance::bound_answer_seconds());
        dispute.rule(refund, timestamp::now_seconds() <= answer_until);
        event::emit(
            DisputeResolved {
                corridor: object::object_address(&c),
                dispute_id,
                arbiter: arbiter_address,
                refund,
                status_before,
                status_after: dispute.status()
            }
        );
    }

    /// Anybody has a ruled dispute paid: the refund goes from what was reserved to the pool of the member
    /// that opened it, the rest is released, and the dispute is closed.
    ///
    /// Aborts, in this order: governance's E_PAUSED; E_NO_DISPUTE; disputes' E_NOT_RULED (at a repeat too);
    /// compliance's E_BARRED for either member; then what liquidity aborts with.
    public entry fun refund(
        _anyone: &signer, c: Object<Corridor>, dispute_id: vector<u8>
    ) acquires Corridor {
        let corridor = write(c);
        governance::assert_not_paused(corridor.governance);
        let dispute = dispute_of(corridor, dispute_id);
        dispute.close();
        let (member, against) = (dispute.member(), dispute.against());
        let (amount, refund) = (dispute.amount(), dispute.refund());
        compliance::assert_clear(corridor.registry, corridor.members[member]);
        compliance::assert_clear(corridor.registry, corridor.members[against]);
        event::emit(
            Refunded {
                corridor: object::object_address(&c),
                dispute_id,
                member,
                against,
                refund,
                released: amount - refund
            }
        );
        let corridor_signer = signer_of(corridor);
        let from = corridor.pools[against];
        if (refund == 0) {
            liquidity::release(&corridor_signer, from, dispute_id);
        } else {
            let paid = liquidity::draw_reserved(&corridor_signer, from, dispute_id, refund);
            liquidity::put(corridor.pools[member], paid);
        };
    }

    // Internal: reading

    inline fun read(c: Object<Corridor>): &Corridor {
        &Corridor[object::object_address(&c)]
    }

    inline fun write(c: Object<Corridor>): &mut Corridor {
        &mut Corridor[object::object_address(&c)]
    }

    fun batch_of(corridor: &Corridor, batch_id: vector<u8>): &Batch {
        assert!(table::contains(&corridor.batches, batch_id), error::not_found(E_NO_BATCH));
        table::borrow(&corridor.batches, batch_id)
    }

    fun dispute_of(corridor: &mut Corridor, dispute_id: vector<u8>): &mut Dispute {
        assert_disputed(corridor, dispute_id);
        table::borrow_mut(&mut corridor.disputes, dispute_id)
    }

    fun assert_disputed(corridor: &Corridor, dispute_id: vector<u8>) {
        assert!(
            table::contains(&corridor.disputes, dispute_id), error::not_found(E_NO_DISPUTE)
        );
    }

    fun includes(
        batch: &Batch,
        leaf_hash: vector<u8>,
        leaf_index: u64,
        proof: &vector<vector<u8>>
    ): bool {
        merkle::is_included(
            batch.merkle_root, leaf_hash, leaf_index, batch.payment_count, proof
        )
    }

    fun signer_of(corridor: &Corridor): signer {
        object::generate_signer_for_extending(&corridor.extend_ref)
    }

    // Internal: checks

    fun assert_members(members: &vector<address>) {
        let count = members.length();
        assert!(
            count >= MEMBERS_MIN && count <= MEMBERS_MAX,
            error::invalid_argument(E_MEMBER_COUNT)
        );
        members.enumerate_ref(|i, member| {
            let (_, first) = members.index_of(member);
            assert!(first == i, error::invalid_argument(E_MEMBER_REPEATED));
        });
    }

    fun assert_member_known(corridor: &Corridor, member: u64) {
        assert!(
            member < corridor.members.length(), error::invalid_argument(E_UNKNOWN_MEMBER)
        );
    }

    fun assert_member(corridor: &Corridor, member: u64, who: &signer) {
        assert!(
            corridor.members[member] == signer::address_of(who),
            error::permission_denied(E_NOT_MEMBER)
        );
    }

    fun assert_all_clear(corridor: &Corridor) {
        corridor.members.for_each_ref(
            |member| compliance::assert_clear(corridor.registry, *member)
        );
    }

    fun assert_new_batch(corridor: &Corridor, batch_id: vector<u8>) {
        assert!(batch_id.length() == BATCH_ID_BYTES, error::invalid_argument(E_BATCH_ID));
        assert!(
            !table::contains(&corridor.batches, batch_id),
            error::already_exists(E_BATCH_EXISTS)
        );
    }

    fun assert_net_count(
        corridor: &Corridor, debits: &vector<u64>, credits: &vector<u64>
    ) {
        let count = corridor.members.length();
        assert!(
            debits.length() == count && credits.length() == count,
            error::invalid_argument(E_NET_COUNT)
        );
    }

    /// What the batch moves, once both sides are the same and within the bound.
    fun balanced_amount(
        corridor: &Corridor, debits: &vector<u64>, credits: &vector<u64>
    ): u64 {
        let debited: u128 = 0;
        let credited: u128 = 0;
        debits.enumerate_ref(|i, debit| {
            let (debit, credit) = (*debit, credits[i]);
            assert!(debit == 0 || credit == 0, error::invalid_argument(E_BOTH_SIDES));
            debited += (debit as u128);
            credited += (credit as u128);
        });
        assert!(debited == credited, error::invalid_argument(E_UNBALANCED));
        let most = governance::bound(corridor.governance, governance::bound_batch_amount_max());
        assert!(debited <= (most as u128), error::out_of_range(E_TOO_LARGE));
        (debited as u64)
    }

    fun assert_timely(corridor: &Corridor, expires_at: u64) {
        let now = timestamp::now_seconds();
        assert!(now < expires_at, error::invalid_state(E_EXPIRED));
        let ahead_most =
            governance::bound(corridor.governance, governance::bound_approval_seconds_max());
        assert!(expires_at - now <= ahead_most, error::out_of_range(E_EXPIRES_TOO_LATE));
    }

    fun assert_amount_disputable(corridor: &Corridor, amount: u64) {
        assert!(amount > 0, error::invalid_argument(E_ZERO));
        let most = governance::bound(corridor.governance, governance::bound_dispute_amount_max());
        assert!(amount <= most, error::out_of_range(E_DISPUTE_TOO_LARGE));
    }

    fun assert_disputable(corridor: &Corridor, batch: &Batch, now: u64) {
        let seconds = governance::bound(corridor.governance, governance::bound_dispute_seconds());
        assert!(now - batch.settled_at <= seconds, error::invalid_state(E_DISPUTE_LATE));
    }

    // Internal: pools

    fun create_pools(
        corridor_signer: &signer,
        g: Object<Governance>,
        r: Object<Registry>,
        asset: Object<Metadata>,
        members: &vector<address>
    ): vector<Object<Pool>> {
        let pools = vector[];
        members.enumerate_ref(|i, member| {
            let seed = bcs::to_bytes(&i);
            pools.push_back(
                liquidity::create_pool(corridor_signer, g, r, asset, *member, seed)
            );
        });
        pools
    }

    /// Draws from all debtors first, so that nobody is paid with what is not there.
    fun move_nets(
        c: Object<Corridor>,
        corridor: &Corridor,
        batch_id: vector<u8>,
        debits: &vector<u64>,
        credits: &vector<u64>
    ) {
        let corridor_signer = signer_of(corridor);
        let moving = fungible_asset::zero(corridor.asset);
        debits.enumerate_ref(|i, debit| {
            let debit = *debit;
            if (debit > 0) {
                let drawn = liquidity::draw(&corridor_signer, corridor.pools[i], debit);
                fungible_asset::merge(&mut moving, drawn);
                emit_leg(c, corridor, batch_id, i, debit, 0);
            };
        });
        credits.enumerate_ref(|i, credit| {
            let credit = *credit;
            if (credit > 0) {
                liquidity::put(corridor.pools[i], fungible_asset::extract(&mut moving, credit));
                emit_leg(c, corridor, batch_id, i, 0, credit);
            };
        });
        fungible_asset::destroy_zero(moving);
    }

    fun emit_leg(
        c: Object<Corridor>,
        corridor: &Corridor,
        batch_id: vector<u8>,
        member: u64,
        debit: u64,
        credit: u64
    ) {
        let pool = corridor.pools[member];
        let total_after = liquidity::total(pool);
        event::emit(
            Leg {
                corridor: object::object_address(&c),
                batch_id,
                member,
                pool: object::object_address(&pool),
                debit,
                credit,
                total_before: total_after + debit - credit,
                total_after
            }
        );
    }
}

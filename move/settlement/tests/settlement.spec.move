/// What corridors promise, for the Move prover. The compiler of `make move` reads and type-checks it; to
/// prove it is for the Aptos CLI (`aptos move prove`).
spec capp_settlement::settlement {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: A batch is settled at most once.
    /// Criticality: Critical
    /// Implementation: settle aborts with E_BATCH_EXISTS when the id has a record, and no record is ever
    /// removed or changed.
    /// Enforcement: [high-level-req-1](settle).
    ///
    /// No.: 2
    /// Requirement: What is drawn is what is put: a batch neither makes nor loses money.
    /// Criticality: Critical
    /// Implementation: balanced_amount compares the sums; what is drawn is handed on, and destroy_zero
    /// aborts if anything were left.
    /// Enforcement: [high-level-req-2](balanced_amount), and the unit tests' audit of all balances.
    ///
    /// No.: 3
    /// Requirement: Nothing is settled, opened, ruled or refunded while paused.
    /// Criticality: High
    /// Implementation: Each begins with assert_not_paused.
    /// Enforcement: [high-level-req-3](NotPaused).
    ///
    /// No.: 4
    /// Requirement: Only terms that enough approvers signed move money, and not after their expiry.
    /// Criticality: Critical
    /// Implementation: terms_hash of what is handed in, assert_timely, approvals::assert_approved.
    /// Enforcement: [high-level-req-4](settle), and approvals.spec.move.
    ///
    /// No.: 5
    /// Requirement: A member disputes a payment once, and a refund is paid once.
    /// Criticality: Critical
    /// Implementation: The id of a dispute is made of batch, leaf and member; it stays when closed.
    /// Enforcement: [high-level-req-5](open_dispute), and disputes.spec.move.
    /// </high-level-req>
    spec module {
        pragma verify = true;
        // Table, pools and assets of other packages abort for reasons of their own, so what is here is said
        // to be a part.
        pragma aborts_if_is_partial;
    }

    // Words used below

    spec fun at(c: Object<Corridor>): address {
        object::object_address(c)
    }

    spec fun the(c: Object<Corridor>): Corridor {
        global<Corridor>(at(c))
    }

    spec fun has_batch(c: Object<Corridor>, batch_id: vector<u8>): bool {
        table::spec_contains(the(c).batches, batch_id)
    }

    spec fun has_dispute(c: Object<Corridor>, dispute_id: vector<u8>): bool {
        table::spec_contains(the(c).disputes, dispute_id)
    }

    spec fun id_of(
        c: Object<Corridor>,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>,
        member: u64
    ): vector<u8> {
        hash::sha3_256(
            concat(
                concat(concat(bcs::serialize(at(c)), batch_id), leaf_hash),
                bcs::serialize(member)
            )
        )
    }

    spec schema Exists {
        c: Object<Corridor>;
        aborts_if !exists<Corridor>(at(c));
    }

    /// [high-level-req-3]
    spec schema NotPaused {
        c: Object<Corridor>;
        include Exists;
        aborts_if governance::is_paused(the(c).governance);
    }

    spec schema KeepsMembers {
        c: Object<Corridor>;
        ensures the(c).members == old(the(c).members);
        ensures the(c).pools == old(the(c).pools);
        ensures the(c).asset == old(the(c).asset);
        ensures the(c).governance == old(the(c).governance);
        ensures the(c).registry == old(the(c).registry);
    }

    spec schema KeepsApprovers {
        c: Object<Corridor>;
        ensures the(c).approvers == old(the(c).approvers);
    }

    spec schema KeepsBatches {
        c: Object<Corridor>;
        ensures the(c).batches == old(the(c).batches);
    }

    spec Corridor {
        invariant len(members) >= MEMBERS_MIN && len(members) <= MEMBERS_MAX;
        invariant len(pools) == len(members);
    }

    // Views

    spec pool_of(c: Object<Corridor>, member: u64): address {
        include Exists;
        /// E_UNKNOWN_MEMBER
        aborts_if member >= len(the(c).members);
        ensures result == object::object_address(the(c).pools[member]);
    }

    spec members(c: Object<Corridor>): vector<address> {
        include Exists;
        ensures result == the(c).members;
    }

    spec threshold(c: Object<Corridor>): u64 {
        include Exists;
    }

    spec approvers(c: Object<Corridor>): vector<vector<u8>> {
        include Exists;
    }

    spec asset(c: Object<Corridor>): Object<Metadata> {
        include Exists;
        ensures result == the(c).asset;
    }

    spec governance_of(c: Object<Corridor>): Object<Governance> {
        include Exists;
        ensures result == the(c).governance;
    }

    spec registry_of(c: Object<Corridor>): Object<Registry> {
        include Exists;
        ensures result == the(c).registry;
    }

    spec is_settled(c: Object<Corridor>, batch_id: vector<u8>): bool {
        include Exists;
        ensures result == has_batch(c, batch_id);
    }

    spec batch(
        c: Object<Corridor>, batch_id: vector<u8>
    ): (vector<u8>, vector<u8>, u64, vector<u64>, vector<u64>, u64) {
        include Exists;
        /// E_NO_BATCH
        aborts_if !has_batch(c, batch_id);
        ensures result_2 == table::spec_get(the(c).batches, batch_id).merkle_root;
        ensures result_3 == table::spec_get(the(c).batches, batch_id).payment_count;
    }

    spec verify_payment(
        c: Object<Corridor>,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>,
        leaf_index: u64,
        proof: vector<vector<u8>>
    ): bool {
        include Exists;
        ensures !has_batch(c, batch_id) ==> !result;
    }

    spec dispute(
        c: Object<Corridor>, dispute_id: vector<u8>
    ): (u8, u64, u64, u64, u64, u64, vector<u8>, vector<u8>) {
        include Exists;
        /// E_NO_DISPUTE
        aborts_if !has_dispute(c, dispute_id);
    }

    // Corridors

    spec make_corridor(
        manager: &signer,
        g: Object<Governance>,
        r: Object<Registry>,
        asset: Object<Metadata>,
        seed: vector<u8>,
        members: vector<address>,
        approver_keys: vector<vector<u8>>,
        threshold: u64
    ): Object<Corridor> {
        aborts_if governance::is_paused(g);
        /// E_MEMBER_COUNT
        aborts_if len(members) < MEMBERS_MIN || len(members) > MEMBERS_MAX;
        ensures the(result).members == members;
    }

    spec set_approvers(
        owner: &signer,
        c: Object<Corridor>,
        approver_keys: vector<vector<u8>>,
        threshold: u64
    ) {
        include Exists;
        include KeepsMembers;
        include KeepsBatches;
    }

    // Settlement

    spec settle(
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
    ) {
        include NotPaused;
        include KeepsMembers;
        include KeepsApprovers;
        /// E_BATCH_ID
        aborts_if len(batch_id) != BATCH_ID_BYTES;
        /// E_BATCH_EXISTS, [high-level-req-1]
        aborts_if has_batch(c, batch_id);
        /// E_HASH_LENGTH
        aborts_if len(merkle_root) != HASH_BYTES;
        /// E_NET_COUNT
        aborts_if len(debits) != len(the(c).members) || len(credits) != len(the(c).members);
        /// E_APPROVAL_COUNT
        aborts_if len(approver_indexes) != len(signatures);
        /// E_NO_PAYMENTS
        aborts_if payment_count == 0;
        /// E_BOTH_SIDES
        aborts_if exists i in range(debits): debits[i] > 0 && credits[i] > 0;
        /// E_EXPIRED, [high-level-req-4]
        aborts_if timestamp::spec_now_seconds() >= expires_at;
        /// [high-level-req-1]
        ensures has_batch(c, batch_id);
        ensures the(c).batches == table::spec_set(
            old(the(c).batches), batch_id, table::spec_get(the(c).batches, batch_id)
        );
        ensures table::spec_get(the(c).batches, batch_id).merkle_root == merkle_root;
        ensures table::spec_get(the(c).batches, batch_id).debits == debits;
        ensures table::spec_get(the(c).batches, batch_id).credits == credits;
    }

    spec balanced_amount(
        corridor: &Corridor, debits: &vector<u64>, credits: &vector<u64>
    ): u64 {
        /// E_BOTH_SIDES; E_UNBALANCED and E_TOO_LARGE are about sums, which the unit tests cover.
        aborts_if exists i in range(debits): debits[i] > 0 && credits[i] > 0;
        /// [high-level-req-2]
        ensures len(debits) == 0 ==> result == 0;
    }

    // Disputes

    spec open_dispute(
        member_signer: &signer,
        c: Object<Corridor>,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>,
        leaf_index: u64,
        proof: vector<vector<u8>>,
        member: u64,
        against: u64,
        amount: u64
    ) {
        include NotPaused;
        include KeepsMembers;
        include KeepsApprovers;
        include KeepsBatches;
        /// E_NO_BATCH
        aborts_if !has_batch(c, batch_id);
        /// E_UNKNOWN_MEMBER
        aborts_if member >= len(the(c).members) || against >= len(the(c).members);
        /// E_SAME_MEMBER
        aborts_if member == against;
        /// E_NOT_MEMBER
        aborts_if the(c).members[member] != signer::address_of(member_signer);
        /// E_ZERO
        aborts_if amount == 0;
        /// E_DISPUTE_EXISTS, [high-level-req-5]
        aborts_if has_dispute(c, id_of(c, batch_id, leaf_hash, member));
        ensures has_dispute(c, id_of(c, batch_id, leaf_hash, member));
    }

    spec answer_dispute(
        member_signer: &signer,
        c: Object<Corridor>,
        dispute_id: vector<u8>,
        accepts: bool,
        evidence_hash: vector<u8>
    ) {
        include Exists;
        include KeepsMembers;
        include KeepsApprovers;
        include KeepsBatches;
        /// E_NO_DISPUTE
        aborts_if !has_dispute(c, dispute_id);
        /// E_HASH_LENGTH
        aborts_if len(evidence_hash) != HASH_BYTES;
    }

    spec resolve_dispute(
        arbiter: &signer,
        c: Object<Corridor>,
        dispute_id: vector<u8>,
        refund: u64
    ) {
        include NotPaused;
        include KeepsMembers;
        include KeepsApprovers;
        include KeepsBatches;
        /// E_NO_DISPUTE
        aborts_if !has_dispute(c, dispute_id);
    }

    spec refund(_anyone: &signer, c: Object<Corridor>, dispute_id: vector<u8>) {
        include NotPaused;
        include KeepsMembers;
        include KeepsApprovers;
        include KeepsBatches;
        /// E_NO_DISPUTE
        aborts_if !has_dispute(c, dispute_id);
    }
}

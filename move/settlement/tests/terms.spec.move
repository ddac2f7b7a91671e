/// What the terms of a batch promise, for the Move prover. The compiler of `make move` reads and type-checks
/// it; to prove it is for the Aptos CLI (`aptos move prove`).
spec capp_settlement::terms {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: Terms are bound to the chain that they are for.
    /// Criticality: Critical
    /// Implementation: The chain's number is read from the chain, never handed in.
    /// Enforcement: [high-level-req-1](new), and the unit test terms_are_bound_to_their_chain.
    /// </high-level-req>
    spec module {
        pragma verify = true;
        pragma aborts_if_is_strict;
    }

    spec new(
        corridor: address,
        batch_id: vector<u8>,
        merkle_root: vector<u8>,
        payment_count: u64,
        debits: vector<u64>,
        credits: vector<u64>,
        expires_at: u64
    ): Terms {
        /// Every chain has a number; none is there only before genesis.
        pragma aborts_if_is_partial;
        /// [high-level-req-1]
        ensures result.chain_id == chain_id::get();
        ensures result.corridor == corridor;
        ensures result.batch_id == batch_id;
        ensures result.merkle_root == merkle_root;
        ensures result.payment_count == payment_count;
        ensures result.debits == debits;
        ensures result.credits == credits;
        ensures result.expires_at == expires_at;
    }

    spec hash(self: &Terms): vector<u8> {
        aborts_if false;
    }
}

/// What the proofs of inclusion promise, for the Move prover. The compiler of `make move` reads and
/// type-checks it; to prove it is for the Aptos CLI (`aptos move prove`).
spec capp_settlement::merkle {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: Checking a proof never aborts, whatever anybody hands in.
    /// Criticality: High
    /// Implementation: What is malformed is answered with false before anything is computed with it.
    /// Enforcement: [high-level-req-1](is_included).
    ///
    /// No.: 2
    /// Requirement: Nothing is included outside of the tree, and nothing but a hash is.
    /// Criticality: Critical
    /// Implementation: Index and length are compared first.
    /// Enforcement: [high-level-req-2](is_included).
    ///
    /// No.: 3
    /// Requirement: An inner node does not pass for a leaf.
    /// Criticality: Critical
    /// Implementation: Leaves and nodes are hashed behind different prefixes.
    /// Enforcement: Unit test an_inner_node_does_not_pass_for_a_leaf; hashes are opaque to the prover.
    /// </high-level-req>
    spec module {
        pragma verify = true;
        pragma aborts_if_is_strict;
    }

    spec hash_leaf(leaf: vector<u8>): vector<u8> {
        aborts_if false;
    }

    spec hash_node(left: vector<u8>, right: vector<u8>): vector<u8> {
        aborts_if false;
    }

    spec is_included(
        root: vector<u8>,
        leaf_hash: vector<u8>,
        leaf_index: u64,
        leaf_count: u64,
        proof: &vector<vector<u8>>
    ): bool {
        /// [high-level-req-1]
        aborts_if false;
        /// [high-level-req-2]
        ensures result ==> leaf_index < leaf_count;
        ensures result ==> len(leaf_hash) == HASH_BYTES;
        /// A tree of one leaf is its own root, and has no path.
        ensures leaf_count == 1 && leaf_index == 0 && len(leaf_hash) == HASH_BYTES
            && len(proof) == 0 ==> result == (leaf_hash == root);
        /// In a larger tree nobody is included without a path.
        ensures leaf_count > 1 && len(proof) == 0 ==> !result;
    }
}

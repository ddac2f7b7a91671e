/// Merkle trees as RFC 9162, section 2.1, builds them, with SHA3-256: whether a leaf is in a tree, by its
/// path alone. What a leaf says is not known here, and no tree is ever built here.
module capp_settlement::merkle {
    use std::hash;

    // Constants

    /// How long every hash is.
    const HASH_BYTES: u64 = 32;
    /// What is hashed before the bytes of a leaf, so that no leaf can pass for a node.
    const LEAF_PREFIX: vector<u8> = x"00";
    /// What is hashed before the two sides of a node.
    const NODE_PREFIX: vector<u8> = x"01";

    // Public functions

    /// The hash of a leaf's bytes.
    public fun hash_leaf(leaf: vector<u8>): vector<u8> {
        let preimage = LEAF_PREFIX;
        preimage.append(leaf);
        hash::sha3_256(preimage)
    }

    /// The hash of a node from those of its two sides.
    public fun hash_node(left: vector<u8>, right: vector<u8>): vector<u8> {
        let preimage = NODE_PREFIX;
        preimage.append(left);
        preimage.append(right);
        hash::sha3_256(preimage)
    }

    /// Whether the leaf stands at this index of a tree of so many leaves with this root: RFC 9162, section
    /// 2.1.3.2. Takes as many steps as the path is long, at most 64. Never aborts: what is malformed is
    /// not included.
    public fun is_included(
        root: vector<u8>,
        leaf_hash: vector<u8>,
        leaf_index: u64,
        leaf_count: u64,
        proof: &vector<vector<u8>>
    ): bool {
        if (leaf_index >= leaf_count || leaf_hash.length() != HASH_BYTES) return false;
        let node = leaf_index;
        let last = leaf_count - 1;
        let climbed = leaf_hash;
        let i = 0;
        while (i < proof.length()) {
            let sibling = proof[i];
            i += 1;
            if (last == 0 || sibling.length() != HASH_BYTES) return false;
            if (node % 2 == 1 || node == last) {
                climbed = hash_node(sibling, climbed);
                // The last node of a level without a sibling of its own rises until it has one.
                while (node % 2 == 0 && node > 0) {
                    node = node >> 1;
                    last = last >> 1;
                };
            } else {
                climbed = hash_node(climbed, sibling);
            };
            node = node >> 1;
            last = last >> 1;
        };
        last == 0 && climbed == root
    }
}

/// The terms of a batch, and the hash of them that operators approve.
///
/// The chain and the corridor are part of the terms, so an approval is worth nothing anywhere else. Whether
/// terms are good is not judged here.
module capp_settlement::terms {
    use std::bcs;
    use std::hash;
    use aptos_framework::chain_id;

    // Constants

    /// What is hashed before the terms, so that no approval can be taken for another kind of signature.
    const DOMAIN: vector<u8> = b"CAPP::SettlementBatch::v1";

    // Structs

    /// What a batch does. Its bytes are the BCS of these fields in this order.
    struct Terms has copy, drop {
        chain_id: u8,
        corridor: address,
        batch_id: vector<u8>,
        merkle_root: vector<u8>,
        payment_count: u64,
        debits: vector<u64>,
        credits: vector<u64>,
        expires_at: u64
    }

    // Public functions

    /// The terms of a batch on this chain.
    public fun new(
        corridor: address,
        batch_id: vector<u8>,
        merkle_root: vector<u8>,
        payment_count: u64,
        debits: vector<u64>,
        credits: vector<u64>,
        expires_at: u64
    ): Terms {
        Terms {
            chain_id: chain_id::get(),
            corridor,
            batch_id,
            merkle_root,
            payment_count,
            debits,
            credits,
            expires_at
        }
    }

    /// The 32 bytes that an approver signs: SHA3-256 of the domain and the terms.
    public fun hash(self: &Terms): vector<u8> {
        let preimage = DOMAIN;
        preimage.append(bcs::to_bytes(self));
        hash::sha3_256(preimage)
    }
}

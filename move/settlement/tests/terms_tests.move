#[test_only]
/// The hash was computed outside Move, from the bytes that the terms are documented to have.
module capp_settlement::terms_tests {
    use aptos_framework::account;
    use aptos_framework::chain_id;
    use capp_settlement::terms;

    fun hash_on(chain: u8, corridor: address, expires_at: u64): vector<u8> {
        chain_id::initialize_for_test(&account::create_signer_for_test(@0x1), chain);
        terms::new(
            corridor,
            x"000102030405060708090a0b0c0d0e0f",
            x"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            10_000,
            vector[5, 0, 7],
            vector[0, 12, 0],
            expires_at
        ).hash()
    }

    const KNOWN: vector<u8> = x"29cddea7c7fe2f6ada76e8ba89d62e4b718d7aa9e2c771bd86ad980b4ca86cbd";

    #[test]
    fun terms_hash_to_what_their_bytes_say() {
        assert!(hash_on(4, @0xc0, 1_700_000_000) == KNOWN);
    }

    #[test]
    fun terms_are_bound_to_their_chain() {
        assert!(hash_on(1, @0xc0, 1_700_000_000) != KNOWN);
    }

    #[test]
    fun terms_are_bound_to_their_corridor() {
        assert!(hash_on(4, @0xc1, 1_700_000_000) != KNOWN);
    }

    #[test]
    fun terms_are_bound_to_their_expiry() {
        assert!(hash_on(4, @0xc0, 1_700_000_001) != KNOWN);
    }
}

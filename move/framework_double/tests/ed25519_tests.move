#[test_only]
module std::ed25519_tests {
    use std::vector;
    use aptos_std::ed25519;

    // RFC 8032, section 7.1, test 2 (read 2026-11).
    const KEY: vector<u8> = x"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: vector<u8> = x"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    struct Message has drop {
        amount: u64
    }

    struct Other has drop {
        amount: u64
    }

    fun verifies(signature: vector<u8>, key: vector<u8>, message: vector<u8>): bool {
        ed25519::signature_verify_strict(
            &ed25519::new_signature_from_bytes(signature),
            &ed25519::new_unvalidated_public_key_from_bytes(key),
            message
        )
    }

    #[test]
    fun a_known_signature_verifies() {
        assert!(verifies(SIGNATURE, KEY, x"72"), 0);
    }

    #[test]
    fun another_message_does_not_verify() {
        assert!(!verifies(SIGNATURE, KEY, x"73"), 0);
    }

    #[test]
    fun another_key_does_not_verify() {
        let (_, other) = ed25519::generate_key_pair();
        assert!(!verifies(SIGNATURE, ed25519::unvalidated_public_key_to_bytes(&other), x"72"), 0);
    }

    #[test]
    fun a_key_of_small_order_verifies_nothing() {
        // The neutral element as key and as R, and S = 0: a check that is not strict accepts it.
        let neutral = x"0100000000000000000000000000000000000000000000000000000000000000";
        let signature = neutral;
        let i = 0;
        while (i < 32) {
            vector::push_back(&mut signature, 0);
            i = i + 1;
        };
        assert!(!verifies(signature, neutral, b"anything"), 0);
    }

    #[test]
    fun what_a_test_signs_verifies() {
        let (secret, key) = ed25519::generate_key_pair();
        let signature = ed25519::sign_arbitrary_bytes(&secret, b"message");
        assert!(ed25519::signature_verify_strict(&signature, &key, b"message"), 0);
        assert!(!ed25519::signature_verify_strict(&signature, &key, b"other"), 0);
    }

    #[test]
    fun a_typed_message_is_signed_with_its_type() {
        let (secret, key) = ed25519::generate_key_pair();
        let bytes = std::bcs::to_bytes(&ed25519::new_signed_message(Message { amount: 5 }));
        let signature = ed25519::sign_arbitrary_bytes(&secret, bytes);
        assert!(ed25519::signature_verify_strict_t(&signature, &key, Message { amount: 5 }), 0);
        assert!(!ed25519::signature_verify_strict_t(&signature, &key, Message { amount: 6 }), 0);
        assert!(!ed25519::signature_verify_strict_t(&signature, &key, Other { amount: 5 }), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10001, location = aptos_std::ed25519)]
    fun a_key_has_32_bytes() {
        ed25519::new_unvalidated_public_key_from_bytes(b"short");
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = aptos_std::ed25519)]
    fun a_signature_has_64_bytes() {
        ed25519::new_signature_from_bytes(b"short");
    }
}

/// Signatures of the curve Ed25519. A double of the module of the same name on Aptos.
///
/// Its public functions are those of Aptos. Keys of tests come from `generate_key_pair`: the name that
/// Aptos uses, `generate_keys`, is here taken by the machine.
module aptos_std::ed25519 {
    use std::bcs;
    use std::error;
    use std::hash;
    use std::vector;
    use aptos_std::type_info::{Self, TypeInfo};

    /// A public key has 32 bytes.
    const E_WRONG_PUBKEY_SIZE: u64 = 1;
    /// A signature has 64 bytes.
    const E_WRONG_SIGNATURE_SIZE: u64 = 2;

    const SIGNATURE_SCHEME_ID: u8 = 0;
    const PUBLIC_KEY_NUM_BYTES: u64 = 32;
    const SIGNATURE_NUM_BYTES: u64 = 64;

    /// The points whose order divides 8, in every form they may be written in.
    const SMALL_ORDER: vector<vector<u8>> = vector[
        x"0000000000000000000000000000000000000000000000000000000000000000",
        x"0100000000000000000000000000000000000000000000000000000000000000",
        x"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        x"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        x"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        x"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        x"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
    ];

    const SMALL_ORDER_FIRST_BYTES: vector<u8> = x"000126c7ecedee";

    struct SignedMessage<MessageType> has drop {
        type_info: TypeInfo,
        inner: MessageType
    }

    struct UnvalidatedPublicKey has copy, drop, store {
        bytes: vector<u8>
    }

    struct Signature has copy, drop, store {
        bytes: vector<u8>
    }

    public fun new_unvalidated_public_key_from_bytes(bytes: vector<u8>): UnvalidatedPublicKey {
        assert!(
            vector::length(&bytes) == PUBLIC_KEY_NUM_BYTES,
            error::invalid_argument(E_WRONG_PUBKEY_SIZE)
        );
        UnvalidatedPublicKey { bytes }
    }

    public fun new_signature_from_bytes(bytes: vector<u8>): Signature {
        assert!(
            vector::length(&bytes) == SIGNATURE_NUM_BYTES,
            error::invalid_argument(E_WRONG_SIGNATURE_SIZE)
        );
        Signature { bytes }
    }

    public fun unvalidated_public_key_to_bytes(pk: &UnvalidatedPublicKey): vector<u8> {
        pk.bytes
    }

    public fun signature_to_bytes(sig: &Signature): vector<u8> {
        sig.bytes
    }

    public fun new_signed_message<T: drop>(data: T): SignedMessage<T> {
        SignedMessage { type_info: type_info::type_of<T>(), inner: data }
    }

    public fun signature_verify_strict(
        signature: &Signature, public_key: &UnvalidatedPublicKey, message: vector<u8>
    ): bool {
        // The machine's own check accepts these, that of Aptos does not.
        !is_of_small_order(public_key.bytes)
            && !is_of_small_order(signature.bytes)
            && verify_internal(message, public_key.bytes, signature.bytes)
    }

    public fun signature_verify_strict_t<T: drop>(
        signature: &Signature, public_key: &UnvalidatedPublicKey, data: T
    ): bool {
        let encoded = new_signed_message(data);
        signature_verify_strict(signature, public_key, bcs::to_bytes(&encoded))
    }

    public fun unvalidated_public_key_to_authentication_key(
        pk: &UnvalidatedPublicKey
    ): vector<u8> {
        let bytes = pk.bytes;
        vector::push_back(&mut bytes, SIGNATURE_SCHEME_ID);
        hash::sha3_256(bytes)
    }

    /// Whether the first 32 bytes are such a point.
    fun is_of_small_order(bytes: vector<u8>): bool {
        if (!vector::contains(&SMALL_ORDER_FIRST_BYTES, vector::borrow(&bytes, 0))) return false;
        let point = vector::slice(&bytes, 0, PUBLIC_KEY_NUM_BYTES);
        // The highest bit is the sign of the other coordinate.
        let last = vector::borrow_mut(&mut point, PUBLIC_KEY_NUM_BYTES - 1);
        *last = *last & 0x7F;
        vector::contains(&SMALL_ORDER, &point)
    }

    native fun verify_internal(
        message: vector<u8>, public_key: vector<u8>, signature: vector<u8>
    ): bool;

    #[test_only]
    struct SecretKey has drop {
        bytes: vector<u8>
    }

    #[test_only]
    public fun generate_key_pair(): (SecretKey, UnvalidatedPublicKey) {
        let (secret_key, public_key) = generate_keys();
        (SecretKey { bytes: secret_key }, UnvalidatedPublicKey { bytes: public_key })
    }

    #[test_only]
    public fun sign_arbitrary_bytes(sk: &SecretKey, msg: vector<u8>): Signature {
        Signature { bytes: sign(msg, sk.bytes) }
    }

    #[test_only]
    /// The secret key, then the public one.
    native fun generate_keys(): (vector<u8>, vector<u8>);

    #[test_only]
    native fun sign(message: vector<u8>, secret_key: vector<u8>): vector<u8>;
}

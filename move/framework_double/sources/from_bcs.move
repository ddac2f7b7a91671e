/// Bytes as values; what is not the canonical form of the type aborts.
///
/// A double of the module of the same name on Aptos.
module aptos_std::from_bcs {
    use std::string::{Self, String};

    /// The bytes are not UTF-8.
    const EINVALID_UTF8: u64 = 0x1;

    public fun to_bool(v: vector<u8>): bool {
        from_bytes<bool>(v)
    }

    public fun to_u8(v: vector<u8>): u8 {
        from_bytes<u8>(v)
    }

    public fun to_u64(v: vector<u8>): u64 {
        from_bytes<u64>(v)
    }

    public fun to_u128(v: vector<u8>): u128 {
        from_bytes<u128>(v)
    }

    public fun to_u256(v: vector<u8>): u256 {
        from_bytes<u256>(v)
    }

    public fun to_address(v: vector<u8>): address {
        from_bytes<address>(v)
    }

    public fun to_bytes(v: vector<u8>): vector<u8> {
        from_bytes<vector<u8>>(v)
    }

    public fun to_string(v: vector<u8>): String {
        let text = from_bytes<String>(v);
        assert!(string::try_utf8(*string::bytes(&text)) == std::option::some(text), EINVALID_UTF8);
        text
    }

    /// Closed to other packages: a struct made of bytes would never have met its own module.
    public(friend) native fun from_bytes<T>(bytes: vector<u8>): T;
}

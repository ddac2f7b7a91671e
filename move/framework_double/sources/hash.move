/// Digests of bytes. A double of the module of the same name on Aptos.
module std::hash {
    native public fun sha2_256(data: vector<u8>): vector<u8>;

    native public fun sha3_256(data: vector<u8>): vector<u8>;
}

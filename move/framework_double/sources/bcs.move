/// Values as bytes. A double of the module of the same name on Aptos.
module std::bcs {
    native public fun to_bytes<MoveValue>(v: &MoveValue): vector<u8>;

    spec native fun serialize<MoveValue>(v: &MoveValue): vector<u8>;
}

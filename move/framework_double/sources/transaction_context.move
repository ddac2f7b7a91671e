/// The transaction that runs. A double of the module of the same name on Aptos.
module aptos_framework::transaction_context {
    native public fun get_transaction_hash(): vector<u8>;

    public fun generate_auid_address(): address {
        generate_unique_address()
    }

    native fun generate_unique_address(): address;
}

/// Which chain this is. A double of the module of the same name on Aptos.
module aptos_framework::chain_id {
    #[test_only]
    use std::error;
    #[test_only]
    use std::signer;

    /// The signer is not 0x1.
    const ENOT_APTOS_FRAMEWORK_ADDRESS: u64 = 3;

    struct ChainId has key {
        id: u8
    }

    #[view]
    public fun get(): u8 acquires ChainId {
        borrow_global<ChainId>(@aptos_framework).id
    }

    #[test_only]
    public fun initialize_for_test(aptos_framework: &signer, id: u8) {
        assert!(
            signer::address_of(aptos_framework) == @aptos_framework,
            error::permission_denied(ENOT_APTOS_FRAMEWORK_ADDRESS)
        );
        if (!exists<ChainId>(@aptos_framework)) {
            move_to(aptos_framework, ChainId { id })
        }
    }
}

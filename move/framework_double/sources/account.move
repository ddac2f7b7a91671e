/// Accounts. A double of the module of the same name on Aptos, as far as contracts ask.
module aptos_framework::account {
    use std::bcs;
    use std::error;

    friend aptos_framework::object;

    /// The account is there already.
    const EACCOUNT_ALREADY_EXISTS: u64 = 1;

    struct Account has key, store {
        authentication_key: vector<u8>,
        sequence_number: u64
    }

    #[view]
    public fun exists_at(addr: address): bool {
        exists<Account>(addr)
    }

    public(friend) fun create_account(new_address: address): signer {
        assert!(!exists_at(new_address), error::already_exists(EACCOUNT_ALREADY_EXISTS));
        let account = create_signer(new_address);
        move_to(
            &account,
            Account { authentication_key: bcs::to_bytes(&new_address), sequence_number: 0 }
        );
        account
    }

    native public(friend) fun create_signer(addr: address): signer;

    #[test_only]
    public fun create_account_for_test(new_address: address): signer {
        create_account(new_address)
    }

    #[test_only]
    public fun create_signer_for_test(addr: address): signer {
        create_signer(addr)
    }
}

/// The chain's clock. A double of the module of the same name on Aptos.
module aptos_framework::timestamp {
    #[test_only]
    use std::error;
    #[test_only]
    use std::signer;

    /// The clock cannot go backwards.
    const EINVALID_TIMESTAMP: u64 = 2;
    /// The signer is not 0x1.
    const ENOT_APTOS_FRAMEWORK_ADDRESS: u64 = 3;

    const MICRO_CONVERSION_FACTOR: u64 = 1000000;

    struct CurrentTimeMicroseconds has key {
        microseconds: u64
    }

    #[view]
    public fun now_microseconds(): u64 acquires CurrentTimeMicroseconds {
        borrow_global<CurrentTimeMicroseconds>(@aptos_framework).microseconds
    }

    #[view]
    public fun now_seconds(): u64 acquires CurrentTimeMicroseconds {
        now_microseconds() / MICRO_CONVERSION_FACTOR
    }

    #[test_only]
    public fun set_time_has_started_for_testing(account: &signer) {
        assert!(
            signer::address_of(account) == @aptos_framework,
            error::permission_denied(ENOT_APTOS_FRAMEWORK_ADDRESS)
        );
        if (!exists<CurrentTimeMicroseconds>(@aptos_framework)) {
            move_to(account, CurrentTimeMicroseconds { microseconds: 0 })
        }
    }

    #[test_only]
    public fun update_global_time_for_test(timestamp_microsecs: u64) acquires CurrentTimeMicroseconds {
        let clock = borrow_global_mut<CurrentTimeMicroseconds>(@aptos_framework);
        assert!(
            clock.microseconds < timestamp_microsecs, error::invalid_argument(EINVALID_TIMESTAMP)
        );
        clock.microseconds = timestamp_microsecs;
    }

    #[test_only]
    public fun update_global_time_for_test_secs(timestamp_seconds: u64) acquires CurrentTimeMicroseconds {
        update_global_time_for_test(timestamp_seconds * MICRO_CONVERSION_FACTOR);
    }

    #[test_only]
    public fun fast_forward_seconds(timestamp_seconds: u64) acquires CurrentTimeMicroseconds {
        update_global_time_for_test_secs(now_seconds() + timestamp_seconds);
    }

    spec fun spec_now_microseconds(): u64 {
        global<CurrentTimeMicroseconds>(@aptos_framework).microseconds
    }

    spec fun spec_now_seconds(): u64 {
        spec_now_microseconds() / MICRO_CONVERSION_FACTOR
    }
}

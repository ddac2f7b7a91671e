/// Reasons in categories: the number of an abort is its category and its reason in one.
///
/// A double of the module of the same name on Aptos: same signatures, same numbers.
module std::error {
    const INVALID_ARGUMENT: u64 = 0x1;
    const OUT_OF_RANGE: u64 = 0x2;
    const INVALID_STATE: u64 = 0x3;
    const UNAUTHENTICATED: u64 = 0x4;
    const PERMISSION_DENIED: u64 = 0x5;
    const NOT_FOUND: u64 = 0x6;
    const ABORTED: u64 = 0x7;
    const ALREADY_EXISTS: u64 = 0x8;
    const RESOURCE_EXHAUSTED: u64 = 0x9;
    const CANCELLED: u64 = 0xA;
    const INTERNAL: u64 = 0xB;
    const NOT_IMPLEMENTED: u64 = 0xC;
    const UNAVAILABLE: u64 = 0xD;

    public fun canonical(category: u64, reason: u64): u64 {
        (category << 16) + reason
    }

    public fun invalid_argument(reason: u64): u64 { canonical(INVALID_ARGUMENT, reason) }

    public fun out_of_range(reason: u64): u64 { canonical(OUT_OF_RANGE, reason) }

    public fun invalid_state(reason: u64): u64 { canonical(INVALID_STATE, reason) }

    public fun unauthenticated(reason: u64): u64 { canonical(UNAUTHENTICATED, reason) }

    public fun permission_denied(reason: u64): u64 { canonical(PERMISSION_DENIED, reason) }

    public fun not_found(reason: u64): u64 { canonical(NOT_FOUND, reason) }

    public fun aborted(reason: u64): u64 { canonical(ABORTED, reason) }

    public fun already_exists(reason: u64): u64 { canonical(ALREADY_EXISTS, reason) }

    public fun resource_exhausted(reason: u64): u64 { canonical(RESOURCE_EXHAUSTED, reason) }

    public fun cancelled(reason: u64): u64 { canonical(CANCELLED, reason) }

    public fun internal(reason: u64): u64 { canonical(INTERNAL, reason) }

    public fun not_implemented(reason: u64): u64 { canonical(NOT_IMPLEMENTED, reason) }

    public fun unavailable(reason: u64): u64 { canonical(UNAVAILABLE, reason) }

    spec module {
        pragma verify = false;
    }
}

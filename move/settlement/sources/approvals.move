/// The k-of-n keys of a corridor: whether enough operators have signed one message.
///
/// Who holds a key and what the message means is not known here.
module capp_settlement::approvals {
    use std::error;
    use aptos_std::ed25519;

    // Errors

    /// A corridor has 1 to 32 approvers.
    const E_APPROVER_COUNT: u64 = 1;
    /// An Ed25519 public key has 32 bytes.
    const E_KEY_LENGTH: u64 = 2;
    /// The same key is given twice: one hand would approve for two.
    const E_KEY_REPEATED: u64 = 3;
    /// The threshold is 0, or above the number of approvers.
    const E_THRESHOLD: u64 = 4;
    /// There is not one signature for each approver named.
    const E_APPROVAL_COUNT: u64 = 5;
    /// The approvers are not named once each, in ascending order.
    const E_APPROVER_REPEATED: u64 = 6;
    /// There is no approver of that index.
    const E_APPROVER_UNKNOWN: u64 = 7;
    /// Fewer approve than the threshold asks for.
    const E_TOO_FEW_APPROVALS: u64 = 8;
    /// A signature is not the approver's, or not over these terms.
    const E_BAD_APPROVAL: u64 = 9;

    // Constants

    /// The most approvers of a corridor: every signature of a batch is checked in one call.
    const APPROVERS_MAX: u64 = 32;
    /// How long an Ed25519 public key is.
    const KEY_BYTES: u64 = 32;
    /// How long an Ed25519 signature is.
    const SIGNATURE_BYTES: u64 = 64;

    // Structs

    /// The keys, in order, and how many of them must sign.
    struct Approvers has drop, store {
        keys: vector<vector<u8>>,
        threshold: u64
    }

    // Public functions

    /// The keys, in order.
    public fun keys(self: &Approvers): vector<vector<u8>> {
        self.keys
    }

    /// How many must sign.
    public fun threshold(self: &Approvers): u64 {
        self.threshold
    }

    // Package

    /// Approvers of a corridor.
    /// Aborts E_APPROVER_COUNT, E_KEY_LENGTH, E_KEY_REPEATED, E_THRESHOLD.
    public(package) fun new(keys: vector<vector<u8>>, threshold: u64): Approvers {
        let count = keys.length();
        assert!(count > 0 && count <= APPROVERS_MAX, error::invalid_argument(E_APPROVER_COUNT));
        keys.enumerate_ref(|i, key| {
            assert!(key.length() == KEY_BYTES, error::invalid_argument(E_KEY_LENGTH));
            let (_, first) = keys.index_of(key);
            assert!(first == i, error::invalid_argument(E_KEY_REPEATED));
        });
        assert!(threshold > 0 && threshold <= count, error::invalid_argument(E_THRESHOLD));
        Approvers { keys, threshold }
    }

    /// Aborts E_APPROVAL_COUNT unless there is one signature for each approver named.
    public(package) fun assert_paired(indexes: &vector<u64>, signatures: &vector<vector<u8>>) {
        assert!(
            indexes.length() == signatures.length(),
            error::invalid_argument(E_APPROVAL_COUNT)
        );
    }

    /// Aborts unless each approver named has signed the message, and they are enough: E_APPROVER_REPEATED,
    /// E_APPROVER_UNKNOWN, E_TOO_FEW_APPROVALS, E_BAD_APPROVAL. One bad signature spoils the good ones.
    public(package) fun assert_approved(
        self: &Approvers,
        message: vector<u8>,
        indexes: &vector<u64>,
        signatures: &vector<vector<u8>>
    ) {
        let named = indexes.length();
        indexes.enumerate_ref(|i, index| {
            assert!(
                i == 0 || indexes[i - 1] < *index,
                error::invalid_argument(E_APPROVER_REPEATED)
            );
        });
        // They ascend, so the last is the highest.
        assert!(
            named == 0 || indexes[named - 1] < self.keys.length(),
            error::invalid_argument(E_APPROVER_UNKNOWN)
        );
        assert!(named >= self.threshold, error::permission_denied(E_TOO_FEW_APPROVALS));
        indexes.enumerate_ref(|i, index| {
            assert!(
                is_signed(self.keys[*index], signatures[i], message),
                error::unauthenticated(E_BAD_APPROVAL)
            );
        });
    }

    // Internal

    fun is_signed(
        key: vector<u8>, signature: vector<u8>, message: vector<u8>
    ): bool {
        signature.length() == SIGNATURE_BYTES
            && ed25519::signature_verify_strict(
                &ed25519::new_signature_from_bytes(signature),
                &ed25519::new_unvalidated_public_key_from_bytes(key),
                message
            )
    }
}

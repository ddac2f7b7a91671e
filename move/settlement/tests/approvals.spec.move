/// What the k-of-n approvals promise, for the Move prover. The compiler of `make move` reads and type-checks
/// it; to prove it is for the Aptos CLI (`aptos move prove`).
spec capp_settlement::approvals {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: The threshold can be reached and is never none, and no key is there twice.
    /// Criticality: Critical
    /// Implementation: new checks it; approvers are made nowhere else and changed nowhere.
    /// Enforcement: [high-level-req-1](the invariant of Approvers).
    ///
    /// No.: 2
    /// Requirement: No key counts twice for one message.
    /// Criticality: Critical
    /// Implementation: The indexes ascend.
    /// Enforcement: [high-level-req-2](assert_approved).
    ///
    /// No.: 3
    /// Requirement: Fewer approvals than the threshold are never enough.
    /// Criticality: Critical
    /// Implementation: assert_approved counts the indexes, and all that are named must have signed.
    /// Enforcement: [high-level-req-3](assert_approved).
    /// </high-level-req>
    spec module {
        pragma verify = true;
        pragma aborts_if_is_strict;
    }

    spec Approvers {
        /// [high-level-req-1]
        invariant threshold > 0;
        invariant threshold <= len(keys);
        invariant len(keys) <= APPROVERS_MAX;
        invariant forall i in range(keys): len(keys[i]) == KEY_BYTES;
        invariant forall i in range(keys), j in range(keys): keys[i] == keys[j] ==> i == j;
    }

    spec keys(self: &Approvers): vector<vector<u8>> {
        aborts_if false;
        ensures result == self.keys;
    }

    spec threshold(self: &Approvers): u64 {
        aborts_if false;
        ensures result == self.threshold;
    }

    spec new(keys: vector<vector<u8>>, threshold: u64): Approvers {
        /// E_APPROVER_COUNT
        aborts_if len(keys) == 0 || len(keys) > APPROVERS_MAX;
        /// E_KEY_LENGTH
        aborts_if exists i in range(keys): len(keys[i]) != KEY_BYTES;
        /// E_KEY_REPEATED
        aborts_if exists i in range(keys), j in range(keys): i != j && keys[i] == keys[j];
        /// E_THRESHOLD
        aborts_if threshold == 0 || threshold > len(keys);
        ensures result.keys == keys;
        ensures result.threshold == threshold;
    }

    spec assert_paired(indexes: &vector<u64>, signatures: &vector<vector<u8>>) {
        /// E_APPROVAL_COUNT
        aborts_if len(indexes) != len(signatures);
    }

    spec assert_approved(
        self: &Approvers,
        message: vector<u8>,
        indexes: &vector<u64>,
        signatures: &vector<vector<u8>>
    ) {
        /// E_BAD_APPROVAL too: signatures are opaque to the prover.
        pragma aborts_if_is_partial;
        /// E_APPROVER_REPEATED
        aborts_if exists i in 1..len(indexes): indexes[i - 1] >= indexes[i];
        /// E_APPROVER_UNKNOWN
        aborts_if len(indexes) > 0 && indexes[len(indexes) - 1] >= len(self.keys);
        /// E_TOO_FEW_APPROVALS
        aborts_if len(indexes) < self.threshold;
        /// [high-level-req-2]
        ensures forall i in 1..len(indexes): indexes[i - 1] < indexes[i];
        /// [high-level-req-3]
        ensures len(indexes) >= self.threshold;
    }
}

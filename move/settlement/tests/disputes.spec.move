/// What the life of a dispute promises, for the Move prover. The compiler of `make move` reads and
/// type-checks it; to prove it is for the Aptos CLI (`aptos move prove`).
spec capp_settlement::disputes {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: Never more is refunded than was disputed.
    /// Criticality: Critical
    /// Implementation: answer rules the amount itself, rule compares.
    /// Enforcement: [high-level-req-1](the invariant of Dispute).
    ///
    /// No.: 2
    /// Requirement: A dispute goes forward only, and is paid once.
    /// Criticality: Critical
    /// Implementation: Each step asks for the status that it may come from.
    /// Enforcement: [high-level-req-2](answer, rule, close).
    ///
    /// No.: 3
    /// Requirement: Nothing but status and refund ever changes.
    /// Criticality: High
    /// Implementation: No other field is written.
    /// Enforcement: [high-level-req-3](KeepsClaim).
    /// </high-level-req>
    spec module {
        pragma verify = true;
        pragma aborts_if_is_strict;
    }

    spec Dispute {
        /// [high-level-req-1]
        invariant refund <= amount;
        invariant OPEN <= status && status <= CLOSED;
        invariant (status == OPEN || status == CONTESTED) ==> refund == 0;
    }

    /// [high-level-req-3]
    spec schema KeepsClaim {
        self: Dispute;
        ensures self.member == old(self.member);
        ensures self.against == old(self.against);
        ensures self.amount == old(self.amount);
        ensures self.opened_at == old(self.opened_at);
        ensures self.batch_id == old(self.batch_id);
        ensures self.leaf_hash == old(self.leaf_hash);
    }

    spec open(
        member: u64,
        against: u64,
        amount: u64,
        opened_at: u64,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>
    ): Dispute {
        aborts_if false;
        ensures result.status == OPEN && result.refund == 0;
        ensures result.member == member && result.against == against;
        ensures result.amount == amount && result.opened_at == opened_at;
        ensures result.batch_id == batch_id && result.leaf_hash == leaf_hash;
    }

    spec answer(self: &mut Dispute, accepts: bool) {
        include KeepsClaim;
        /// E_NOT_OPEN, [high-level-req-2]
        aborts_if self.status != OPEN;
        ensures self.status == (if (accepts) RULED else CONTESTED);
        ensures self.refund == (if (accepts) self.amount else 0);
    }

    spec rule(self: &mut Dispute, refund: u64, may_wait: bool) {
        include KeepsClaim;
        /// E_RULED, [high-level-req-2]
        aborts_if self.status != OPEN && self.status != CONTESTED;
        /// E_ANSWER_PENDING
        aborts_if self.status == OPEN && may_wait;
        /// E_REFUND_TOO_LARGE, [high-level-req-1]
        aborts_if refund > self.amount;
        ensures self.status == RULED;
        ensures self.refund == refund;
    }

    spec close(self: &mut Dispute) {
        include KeepsClaim;
        /// E_NOT_RULED, [high-level-req-2]
        aborts_if self.status != RULED;
        ensures self.status == CLOSED;
        ensures self.refund == old(self.refund);
    }

    spec status(self: &Dispute): u8 {
        aborts_if false;
        ensures result == self.status;
    }

    spec member(self: &Dispute): u64 {
        aborts_if false;
        ensures result == self.member;
    }

    spec against(self: &Dispute): u64 {
        aborts_if false;
        ensures result == self.against;
    }

    spec amount(self: &Dispute): u64 {
        aborts_if false;
        ensures result == self.amount;
    }

    spec refund(self: &Dispute): u64 {
        aborts_if false;
        ensures result == self.refund;
    }

    spec opened_at(self: &Dispute): u64 {
        aborts_if false;
        ensures result == self.opened_at;
    }

    spec batch_id(self: &Dispute): vector<u8> {
        aborts_if false;
        ensures result == self.batch_id;
    }

    spec leaf_hash(self: &Dispute): vector<u8> {
        aborts_if false;
        ensures result == self.leaf_hash;
    }
}

/// One member's claim against another about one payment, and how it may go on. Pure: no clock, no pool.
///
/// | from      | by                     | to        |
/// | --------- | ---------------------- | --------- |
/// | (nothing) | open                   | open      |
/// | open      | answer: accepted       | ruled     |
/// | open      | answer: not accepted   | contested |
/// | open      | rule, once it may be   | ruled     |
/// | contested | rule                   | ruled     |
/// | ruled     | close                  | closed    |
module capp_settlement::disputes {
    use std::error;

    // Errors

    /// The dispute is not open any more: it was answered, or ruled.
    const E_NOT_OPEN: u64 = 1;
    /// The other member may still answer.
    const E_ANSWER_PENDING: u64 = 2;
    /// The dispute was ruled already.
    const E_RULED: u64 = 3;
    /// The dispute is not ruled yet, or it is closed.
    const E_NOT_RULED: u64 = 4;
    /// More would be refunded than is disputed.
    const E_REFUND_TOO_LARGE: u64 = 5;

    // Constants

    /// Opened, and neither answered nor ruled.
    const OPEN: u8 = 1;
    /// The other member does not accept: the arbiter rules.
    const CONTESTED: u8 = 2;
    /// What is refunded is decided, and not paid yet.
    const RULED: u8 = 3;
    /// Paid, and over.
    const CLOSED: u8 = 4;

    // Structs

    /// A dispute. Amounts are in the asset's smallest units, times in seconds of the chain's clock.
    struct Dispute has copy, drop, store {
        status: u8,
        /// The index of the member that opened it.
        member: u64,
        /// The index of the member that it is against.
        against: u64,
        amount: u64,
        /// 0 until ruled.
        refund: u64,
        opened_at: u64,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>
    }

    // Public functions

    /// 1 open, 2 contested, 3 ruled, 4 closed.
    public fun status(self: &Dispute): u8 { self.status }

    /// The index of the member that opened it.
    public fun member(self: &Dispute): u64 { self.member }

    /// The index of the member that it is against.
    public fun against(self: &Dispute): u64 { self.against }

    /// What is disputed.
    public fun amount(self: &Dispute): u64 { self.amount }

    /// What is refunded; 0 until ruled.
    public fun refund(self: &Dispute): u64 { self.refund }

    /// When it was opened.
    public fun opened_at(self: &Dispute): u64 { self.opened_at }

    /// The batch that the payment was in.
    public fun batch_id(self: &Dispute): vector<u8> { self.batch_id }

    /// The payment.
    public fun leaf_hash(self: &Dispute): vector<u8> { self.leaf_hash }

    // Package

    /// A new dispute.
    public(package) fun open(
        member: u64,
        against: u64,
        amount: u64,
        opened_at: u64,
        batch_id: vector<u8>,
        leaf_hash: vector<u8>
    ): Dispute {
        Dispute { status: OPEN, member, against, amount, refund: 0, opened_at, batch_id, leaf_hash }
    }

    /// The other member accepts the whole amount, or none of it. Aborts E_NOT_OPEN.
    public(package) fun answer(self: &mut Dispute, accepts: bool) {
        assert!(self.status == OPEN, error::invalid_state(E_NOT_OPEN));
        if (accepts) {
            self.status = RULED;
            self.refund = self.amount;
        } else {
            self.status = CONTESTED;
        };
    }

    /// The arbiter decides what is refunded. `may_wait` says that the time for an answer is not over.
    /// Aborts E_RULED, E_ANSWER_PENDING, E_REFUND_TOO_LARGE.
    public(package) fun rule(self: &mut Dispute, refund: u64, may_wait: bool) {
        assert!(self.status == OPEN || self.status == CONTESTED, error::invalid_state(E_RULED));
        assert!(self.status == CONTESTED || !may_wait, error::invalid_state(E_ANSWER_PENDING));
        assert!(refund <= self.amount, error::invalid_argument(E_REFUND_TOO_LARGE));
        self.status = RULED;
        self.refund = refund;
    }

    /// What was ruled is paid. Aborts E_NOT_RULED (at a repeat too).
    public(package) fun close(self: &mut Dispute) {
        assert!(self.status == RULED, error::invalid_state(E_NOT_RULED));
        self.status = CLOSED;
    }
}

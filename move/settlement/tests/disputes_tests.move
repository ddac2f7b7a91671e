#[test_only]
module capp_settlement::disputes_tests {
    use aptos_framework::event;
    use aptos_framework::timestamp;
    use capp_governance::governance;
    use capp_liquidity::liquidity;
    use capp_settlement::merkle;
    use capp_settlement::settlement;
    use capp_settlement::stage::{Self, Stage};

    const EVIDENCE: vector<u8> = x"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const DAY: u64 = 86_400;

    /// The hashes of "a payment" and of "another payment" as leaves, and of the node above them.
    const LEAF: vector<u8> = x"320f91fbb44d67413f1b757da6bdbd46d8bfed4afe0da1e0c8fd7b6d691b5687";
    const SIBLING: vector<u8> = x"d058cf610f2b0744a93ec1c2434a9c82658e06ae2343ae087dd0ead319cae41f";
    const ROOT: vector<u8> = x"711e3bea9823c70a7dad9b430ab5b867c624075cde8c8090f9670303a14606f0";

    /// A settled batch of two payments.
    fun settled(): Stage {
        let stage = stage::set();
        stage::draft(ROOT, 2).signed(&stage).settle(&stage);
        stage
    }

    fun id(stage: &Stage): vector<u8> {
        settlement::dispute_id(stage.corridor(), stage::batch_id(), LEAF, 0)
    }

    /// The first member disputes with the second about the first payment.
    fun open(stage: &Stage, amount: u64) {
        settlement::open_dispute(
            &stage::member(0),
            stage.corridor(),
            stage::batch_id(),
            LEAF,
            0,
            vector[SIBLING],
            0,
            1,
            amount
        );
    }

    fun opened(amount: u64): Stage {
        let stage = settled();
        open(&stage, amount);
        stage
    }

    fun answer(stage: &Stage, accepts: bool) {
        settlement::answer_dispute(
            &stage::member(1), stage.corridor(), id(stage), accepts, EVIDENCE
        );
    }

    fun resolve(stage: &Stage, refund: u64) {
        settlement::resolve_dispute(&stage::arbiter(), stage.corridor(), id(stage), refund);
    }

    fun refund(stage: &Stage) {
        settlement::refund(&stage::somebody(@0xe4e), stage.corridor(), id(stage));
    }

    fun status(stage: &Stage): u8 {
        let (status, _, _, _, _, _, _, _) = settlement::dispute(stage.corridor(), id(stage));
        status
    }

    #[test]
    fun the_payments_hash_to_what_is_written_here() {
        assert!(merkle::hash_leaf(b"a payment") == LEAF);
        assert!(merkle::hash_leaf(b"another payment") == SIBLING);
        assert!(merkle::hash_node(LEAF, SIBLING) == ROOT);
    }

    // Opening

    #[test]
    fun the_id_of_a_dispute_is_known_to_all() {
        let stage = settled();
        let preimage = std::bcs::to_bytes(&aptos_framework::object::object_address(&stage.corridor()));
        preimage.append(stage::batch_id());
        preimage.append(LEAF);
        preimage.append(x"0000000000000000");
        assert!(id(&stage) == std::hash::sha3_256(preimage));
    }

    #[test]
    fun a_dispute_sets_the_amount_aside_in_the_others_pool() {
        let stage = opened(120);
        let pool = stage.pool(1);
        assert!(liquidity::reserved(pool) == 120);
        assert!(liquidity::reserved_under(pool, id(&stage)) == 120);
        let (status, member, against, amount, refund, opened_at, batch_id, leaf_hash) =
            settlement::dispute(stage.corridor(), id(&stage));
        assert!(status == 1 && member == 0 && against == 1 && amount == 120 && refund == 0);
        assert!(opened_at == stage::now() && batch_id == stage::batch_id());
        assert!(leaf_hash == LEAF);
        assert!(event::emitted_events<settlement::DisputeOpened>().length() == 1);
        stage.audit();
    }

    #[test]
    fun the_last_second_to_dispute_is_in_time() {
        let stage = settled();
        timestamp::fast_forward_seconds(259_200);
        open(&stage, 1);
        assert!(status(&stage) == 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30012, location = capp_settlement::settlement)]
    fun a_dispute_may_come_too_late() {
        let stage = settled();
        timestamp::fast_forward_seconds(259_201);
        open(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30012, location = capp_settlement::settlement)]
    fun a_governance_may_let_nothing_be_disputed_later() {
        let stage = settled();
        stage.bound(governance::bound_dispute_seconds(), 0);
        timestamp::fast_forward_seconds(1);
        open(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun nothing_is_disputed_while_paused() {
        let stage = settled();
        stage.pause();
        open(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun a_pause_comes_before_the_batch_that_is_disputed() {
        let stage = stage::set();
        stage.pause();
        open(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x60003, location = capp_settlement::settlement)]
    fun what_was_not_settled_is_not_disputed() {
        let stage = stage::set();
        open(&stage, 1);
    }

    fun open_as(stage: &Stage, who: u64, member: u64, against: u64) {
        settlement::open_dispute(
            &stage::member(who),
            stage.corridor(),
            stage::batch_id(),
            LEAF,
            0,
            vector[SIBLING],
            member,
            against,
            1
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x1000e, location = capp_settlement::settlement)]
    fun who_is_no_member_disputes_nothing() {
        open_as(&settled(), 0, 3, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000e, location = capp_settlement::settlement)]
    fun nothing_is_disputed_with_who_is_no_member() {
        open_as(&settled(), 0, 0, 3);
    }

    #[test]
    #[expected_failure(abort_code = 0x10010, location = capp_settlement::settlement)]
    fun nobody_disputes_with_itself() {
        open_as(&settled(), 1, 1, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x5000f, location = capp_settlement::settlement)]
    fun nobody_disputes_for_another() {
        open_as(&settled(), 2, 0, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_disputes_nothing() {
        let stage = settled();
        stage.bar(@0xb0);
        open(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x10011, location = capp_settlement::settlement)]
    fun nothing_is_not_disputed() {
        opened(0);
    }

    #[test]
    #[expected_failure(abort_code = 0x80014, location = capp_settlement::settlement)]
    fun a_member_disputes_a_payment_once() {
        let stage = opened(1);
        open(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x80014, location = capp_settlement::settlement)]
    fun a_payment_is_not_disputed_again_after_its_dispute() {
        let stage = opened(1);
        answer(&stage, true);
        refund(&stage);
        open(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x10013, location = capp_settlement::settlement)]
    fun a_payment_that_was_not_in_the_batch_is_not_disputed() {
        let stage = settled();
        settlement::open_dispute(
            &stage::member(0),
            stage.corridor(),
            stage::batch_id(),
            merkle::hash_leaf(b"a payment of another batch"),
            0,
            vector[SIBLING],
            0,
            1,
            1
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun no_more_is_disputed_than_the_others_pool_has() {
        opened(1_000_301);
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun what_is_disputed_settles_no_other_batch() {
        let stage = opened(1_000_000);
        let another = x"ffffffffffffffffffffffffffffffff";
        stage::draft(LEAF, 1).with_id(another).with_nets(vector[0, 301, 0], vector[301, 0, 0])
            .signed(&stage).settle(&stage);
    }

    #[test]
    fun who_is_to_be_disputed_cannot_come_first() {
        let stage = settled();
        settlement::open_dispute(
            &stage::member(1),
            stage.corridor(),
            stage::batch_id(),
            LEAF,
            0,
            vector[SIBLING],
            1,
            0,
            1
        );
        open(&stage, 120);
        assert!(liquidity::reserved(stage.pool(0)) == 1);
        assert!(liquidity::reserved(stage.pool(1)) == 120);
    }

    #[test]
    #[expected_failure(abort_code = 0x20017, location = capp_settlement::settlement)]
    fun a_dispute_holds_no_more_than_the_governance_lets_it() {
        let stage = settled();
        stage.bound(governance::bound_dispute_amount_max(), 119);
        open(&stage, 120);
    }

    #[test]
    fun a_dispute_may_hold_all_that_the_governance_lets_it() {
        let stage = settled();
        stage.bound(governance::bound_dispute_amount_max(), 120);
        open(&stage, 120);
        assert!(status(&stage) == 1);
    }

    // Answering

    #[test]
    fun a_dispute_that_is_accepted_is_refunded_whole() {
        let stage = opened(120);
        answer(&stage, true);
        assert!(status(&stage) == 3);
        refund(&stage);
        assert!(status(&stage) == 4);
        assert!(stage.total(0) == 999_620 && stage.total(1) == 1_000_180);
        assert!(liquidity::reserved(stage.pool(1)) == 0);
        assert!(event::emitted_events<settlement::DisputeAnswered>().length() == 1);
        assert!(event::emitted_events<settlement::Refunded>().length() == 1);
        stage.audit();
    }

    #[test]
    fun a_dispute_that_is_contested_waits_for_the_arbiter() {
        let stage = opened(120);
        answer(&stage, false);
        assert!(status(&stage) == 2);
        resolve(&stage, 50);
        assert!(status(&stage) == 3);
        refund(&stage);
        assert!(stage.total(0) == 999_550 && stage.total(1) == 1_000_250);
        assert!(liquidity::reserved(stage.pool(1)) == 0);
        assert!(event::emitted_events<settlement::DisputeResolved>().length() == 1);
        stage.audit();
    }

    #[test]
    fun a_dispute_that_is_lost_moves_nothing() {
        let stage = opened(120);
        answer(&stage, false);
        resolve(&stage, 0);
        refund(&stage);
        assert!(status(&stage) == 4);
        assert!(stage.total(0) == 999_500 && stage.total(1) == 1_000_300);
        assert!(liquidity::reserved(stage.pool(1)) == 0);
        stage.audit();
    }

    #[test]
    fun a_dispute_that_nobody_answers_is_ruled_after_the_time_to_answer() {
        let stage = opened(120);
        timestamp::fast_forward_seconds(DAY + 1);
        resolve(&stage, 120);
        refund(&stage);
        assert!(stage.total(0) == 999_620);
        stage.audit();
    }

    #[test]
    fun an_answer_counts_as_long_as_nobody_ruled() {
        let stage = opened(120);
        timestamp::fast_forward_seconds(DAY * 2);
        answer(&stage, true);
        assert!(status(&stage) == 3);
    }

    #[test]
    fun an_answer_counts_also_while_paused() {
        let stage = opened(120);
        stage.pause();
        answer(&stage, false);
        assert!(status(&stage) == 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x60015, location = capp_settlement::settlement)]
    fun what_is_not_disputed_is_not_answered() {
        answer(&settled(), true);
    }

    #[test]
    #[expected_failure(abort_code = 0x5000f, location = capp_settlement::settlement)]
    fun nobody_answers_for_another() {
        let stage = opened(120);
        settlement::answer_dispute(&stage::member(0), stage.corridor(), id(&stage), true, EVIDENCE);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_settlement::settlement)]
    fun evidence_is_a_hash() {
        let stage = opened(120);
        settlement::answer_dispute(&stage::member(1), stage.corridor(), id(&stage), true, x"00");
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_settlement::disputes)]
    fun a_dispute_is_answered_once() {
        let stage = opened(120);
        answer(&stage, false);
        answer(&stage, true);
    }

    // Ruling

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun nothing_is_ruled_while_paused() {
        let stage = opened(120);
        answer(&stage, false);
        stage.pause();
        resolve(&stage, 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_an_arbiter_rules() {
        let stage = opened(120);
        answer(&stage, false);
        settlement::resolve_dispute(&stage::member(0), stage.corridor(), id(&stage), 120);
    }

    #[test]
    #[expected_failure(abort_code = 0x60015, location = capp_settlement::settlement)]
    fun what_is_not_disputed_is_not_ruled() {
        resolve(&settled(), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x30003, location = capp_settlement::disputes)]
    fun a_dispute_is_ruled_once() {
        let stage = opened(120);
        answer(&stage, false);
        resolve(&stage, 1);
        resolve(&stage, 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x30003, location = capp_settlement::disputes)]
    fun what_was_accepted_is_not_ruled_again() {
        let stage = opened(120);
        answer(&stage, true);
        resolve(&stage, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x30002, location = capp_settlement::disputes)]
    fun the_arbiter_waits_for_an_answer_to_the_last_second() {
        let stage = opened(120);
        timestamp::fast_forward_seconds(DAY);
        resolve(&stage, 120);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_settlement::disputes)]
    fun no_more_is_refunded_than_was_disputed() {
        let stage = opened(120);
        answer(&stage, false);
        resolve(&stage, 121);
    }

    // Refunding

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun nothing_is_refunded_while_paused() {
        let stage = opened(120);
        answer(&stage, true);
        stage.pause();
        refund(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun a_pause_comes_before_the_dispute_that_is_refunded() {
        let stage = settled();
        stage.pause();
        refund(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x60015, location = capp_settlement::settlement)]
    fun what_is_not_disputed_is_not_refunded() {
        refund(&settled());
    }

    #[test]
    #[expected_failure(abort_code = 0x30004, location = capp_settlement::disputes)]
    fun what_is_not_ruled_is_not_refunded() {
        let stage = opened(120);
        answer(&stage, false);
        refund(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x30004, location = capp_settlement::disputes)]
    fun a_refund_is_paid_once() {
        let stage = opened(120);
        answer(&stage, true);
        refund(&stage);
        refund(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_is_refunded_nothing() {
        let stage = opened(120);
        answer(&stage, true);
        stage.bar(@0xb0);
        refund(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_refunds_nothing() {
        let stage = opened(120);
        answer(&stage, true);
        stage.bar(@0xb1);
        refund(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_refund_from_a_frozen_pool_waits() {
        let stage = opened(120);
        answer(&stage, true);
        stage.freeze_pool(1, true);
        refund(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x60015, location = capp_settlement::settlement)]
    fun there_is_no_dispute_where_none_was_opened() {
        status(&settled());
    }
}

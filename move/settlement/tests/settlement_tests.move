#[test_only]
module capp_settlement::settlement_tests {
    use std::bcs;
    use std::hash;
    use aptos_framework::event;
    use aptos_framework::object;
    use aptos_framework::timestamp;
    use capp_compliance::compliance;
    use capp_governance::governance;
    use capp_liquidity::liquidity;
    use capp_settlement::merkle;
    use capp_settlement::settlement;
    use capp_settlement::stage::{Self, Stage};

    /// The root of a tree of 1,000, computed outside Move.
    const ROOT: vector<u8> = x"602002fb38c6e07cf7fa82a3ff34755fa26bb8401477953643b086a1cf90ab60";

    fun good(): stage::Draft {
        stage::draft(ROOT, 1_000)
    }

    fun settled(): Stage {
        let stage = stage::set();
        good().signed(&stage).settle(&stage);
        stage
    }

    // Corridors

    #[test]
    fun a_corridor_tells_what_it_is() {
        let stage = stage::set();
        let c = stage.corridor();
        assert!(object::object_address(&c) == settlement::corridor_address(@0xa3, b"corridor"));
        assert!(settlement::members(c) == vector[@0xb0, @0xb1, @0xb2]);
        assert!(settlement::approvers(c) == stage.keys() && settlement::threshold(c) == 2);
        assert!(settlement::asset(c) == stage.asset());
        assert!(settlement::governance_of(c) == stage.governance());
        assert!(settlement::registry_of(c) == stage.registry());
        assert!(event::emitted_events<settlement::CorridorCreated>().length() == 1);
    }

    #[test]
    fun every_member_has_a_pool_that_it_operates_and_the_corridor_settles() {
        let stage = stage::set();
        let corridor = object::object_address(&stage.corridor());
        for (i in 0..3) {
            let pool = stage.pool(i);
            assert!(liquidity::operator(pool) == stage::members()[i]);
            assert!(liquidity::settler(pool) == corridor);
            let seed = bcs::to_bytes(&i);
            assert!(object::object_address(&pool) == liquidity::address_of(corridor, seed));
        };
    }

    fun corridor_of(
        stage: &Stage, members: vector<address>, keys: vector<vector<u8>>, threshold: u64
    ) {
        settlement::create_corridor(
            &stage::manager(),
            stage.governance(),
            stage.registry(),
            stage.asset(),
            b"another",
            members,
            keys,
            threshold
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun no_corridor_is_made_while_paused() {
        let stage = stage::set();
        stage.pause();
        corridor_of(&stage, stage::members(), stage.keys(), 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun a_pause_comes_before_the_role_of_who_makes_a_corridor() {
        let stage = stage::set();
        stage.pause();
        settlement::create_corridor(
            &stage::submitter(),
            stage.governance(),
            stage.registry(),
            stage.asset(),
            b"mine",
            stage::members(),
            stage.keys(),
            2
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::object)]
    fun a_corridor_is_not_handed_on() {
        let stage = stage::set();
        object::transfer(&stage::manager(), stage.corridor(), @0xe4e);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_a_manager_makes_corridors() {
        let stage = stage::set();
        settlement::create_corridor(
            &stage::submitter(),
            stage.governance(),
            stage.registry(),
            stage.asset(),
            b"mine",
            stage::members(),
            stage.keys(),
            2
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x10016, location = capp_settlement::settlement)]
    fun a_registry_of_another_governance_is_refused() {
        let stage = stage::set();
        let eve = stage::somebody(@0xe4e);
        let other = governance::create_governance(&eve, b"other");
        let registry = compliance::create_registry(&eve, other, b"other book");
        settlement::create_corridor(
            &stage::manager(),
            stage.governance(),
            registry,
            stage.asset(),
            b"mixed",
            stage::members(),
            stage.keys(),
            2
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x80001, location = aptos_framework::object)]
    fun a_corridor_is_made_once() {
        let stage = stage::set();
        corridor_of(&stage, stage::members(), stage.keys(), 2);
        corridor_of(&stage, stage::members(), stage.keys(), 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000c, location = capp_settlement::settlement)]
    fun one_member_cannot_owe_itself() {
        let stage = stage::set();
        corridor_of(&stage, vector[@0xb0], stage.keys(), 2);
    }

    fun accounts(count: u64): vector<address> {
        let accounts = vector[];
        for (i in 0..count) {
            accounts.push_back(object::create_object_address(&@0x1, bcs::to_bytes<u64>(&i)));
        };
        accounts
    }

    #[test]
    fun a_corridor_may_have_2_members_or_32() {
        let stage = stage::set();
        vector[2, 32].for_each_ref(|count| {
            let (count, seed) = (*count, bcs::to_bytes(count));
            let (members, keys) = (accounts(count), stage.keys());
            let c =
                settlement::make_corridor(
                    &stage::manager(),
                    stage.governance(),
                    stage.registry(),
                    stage.asset(),
                    seed,
                    members,
                    keys,
                    1
                );
            assert!(settlement::members(c) == members);
        });
    }

    #[test]
    #[expected_failure(abort_code = 0x1000c, location = capp_settlement::settlement)]
    fun a_corridor_has_at_most_32_members() {
        let stage = stage::set();
        corridor_of(&stage, accounts(33), stage.keys(), 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000d, location = capp_settlement::settlement)]
    fun a_member_is_a_member_once() {
        let stage = stage::set();
        corridor_of(&stage, vector[@0xb0, @0xb1, @0xb0], stage.keys(), 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_liquidity::liquidity)]
    fun nobody_is_no_member() {
        let stage = stage::set();
        corridor_of(&stage, vector[@0xb0, @0x0], stage.keys(), 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000e, location = capp_settlement::settlement)]
    fun there_is_no_pool_of_nobody() {
        let stage = stage::set();
        settlement::pool_of(stage.corridor(), 3);
    }

    // Approvers

    #[test]
    #[expected_failure(abort_code = 0x10001, location = capp_settlement::approvals)]
    fun somebody_must_approve() {
        let stage = stage::set();
        corridor_of(&stage, stage::members(), vector[], 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10001, location = capp_settlement::approvals)]
    fun at_most_32_approve() {
        let stage = stage::set();
        let (_, keys) = stage::make_keys(33);
        corridor_of(&stage, stage::members(), keys, 2);
    }

    /// A stage with so many approvers who must all sign, and a good batch that some of them have signed.
    fun signed_by(named: u64, approvers: u64): (Stage, stage::Draft) {
        let stage = stage::set();
        let (secrets, keys) = stage::make_keys(approvers);
        settlement::set_approvers(&stage::owner(), stage.corridor(), keys, approvers);
        let message = good().hash(&stage);
        let (indexes, signatures) = (vector[], vector[]);
        for (i in 0..named) {
            indexes.push_back(i);
            signatures.push_back(stage::sign(&secrets[i], message));
        };
        (stage, good().with_indexes(indexes).with_signatures(signatures))
    }

    #[test]
    fun thirty_two_may_approve_and_all_of_them_sign() {
        let (stage, batch) = signed_by(32, 32);
        batch.settle(&stage);
        assert!(settlement::is_settled(stage.corridor(), stage::batch_id()));
        assert!(settlement::threshold(stage.corridor()) == 32);
    }

    #[test]
    #[expected_failure(abort_code = 0x50008, location = capp_settlement::approvals)]
    fun thirty_one_of_thirty_two_are_too_few() {
        let (stage, batch) = signed_by(31, 32);
        batch.settle(&stage);
    }

    #[test]
    fun three_of_three_are_enough() {
        let (stage, batch) = signed_by(3, 3);
        batch.settle(&stage);
        assert!(settlement::is_settled(stage.corridor(), stage::batch_id()));
    }

    #[test]
    #[expected_failure(abort_code = 0x50008, location = capp_settlement::approvals)]
    fun two_of_three_are_too_few_where_all_must_sign() {
        let (stage, batch) = signed_by(2, 3);
        batch.settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = capp_settlement::approvals)]
    fun a_key_has_32_bytes() {
        let stage = stage::set();
        corridor_of(&stage, stage::members(), vector[stage.keys()[0], x"0102"], 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x10003, location = capp_settlement::approvals)]
    fun one_hand_does_not_approve_for_two() {
        let stage = stage::set();
        let key = stage.keys()[0];
        corridor_of(&stage, stage::members(), vector[key, stage.keys()[1], key], 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_settlement::approvals)]
    fun a_threshold_of_none_is_refused() {
        let stage = stage::set();
        corridor_of(&stage, stage::members(), stage.keys(), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_settlement::approvals)]
    fun a_threshold_that_cannot_be_reached_is_refused() {
        let stage = stage::set();
        corridor_of(&stage, stage::members(), stage.keys(), 4);
    }

    #[test]
    fun approvers_are_replaced_also_while_paused() {
        let stage = stage::set();
        let c = stage.corridor();
        stage.pause();
        let (_, keys) = stage::make_keys(2);
        settlement::set_approvers(&stage::owner(), c, keys, 1);
        assert!(settlement::approvers(c) == keys && settlement::threshold(c) == 1);
        assert!(event::emitted_events<settlement::ApproversSet>().length() == 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun only_the_owner_replaces_approvers() {
        let stage = stage::set();
        settlement::set_approvers(&stage::manager(), stage.corridor(), stage.keys(), 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x40009, location = capp_settlement::approvals)]
    fun approvals_by_keys_that_were_replaced_are_worth_nothing() {
        let stage = stage::set();
        let batch = good().signed(&stage);
        let (_, keys) = stage::make_keys(3);
        settlement::set_approvers(&stage::owner(), stage.corridor(), keys, 2);
        batch.settle(&stage);
    }

    // Settling

    #[test]
    fun a_batch_moves_the_nets_and_is_written_down() {
        let stage = settled();
        let c = stage.corridor();
        assert!(stage.total(0) == 999_500);
        assert!(stage.total(1) == 1_000_300);
        assert!(stage.total(2) == 1_000_200);
        assert!(settlement::is_settled(c, stage::batch_id()));
        let (terms_hash, root, count, debits, credits, settled_at) =
            settlement::batch(c, stage::batch_id());
        assert!(terms_hash == good().hash(&stage));
        assert!(root == ROOT && count == 1_000 && settled_at == stage::now());
        assert!(debits == vector[500, 0, 0] && credits == vector[0, 300, 200]);
        stage.audit();
    }

    #[test]
    fun a_batch_is_told_once_and_a_leg_for_every_member_that_moves() {
        let stage = stage::set();
        good().with_nets(vector[0, 40, 0], vector[40, 0, 0]).signed(&stage).settle(&stage);
        assert!(event::emitted_events<settlement::Settled>().length() == 1);
        assert!(event::emitted_events<settlement::Leg>().length() == 2);
        stage.audit();
    }

    #[test]
    fun ten_thousand_payments_that_cancel_out_leave_only_their_root() {
        let stage = stage::set();
        good().with_count(10_000).with_nets(vector[0, 0, 0], vector[0, 0, 0]).signed(&stage)
            .settle(&stage);
        let (_, root, count, _, _, _) = settlement::batch(stage.corridor(), stage::batch_id());
        assert!(root == ROOT && count == 10_000);
        assert!(event::emitted_events<settlement::Leg>().is_empty());
        stage.audit();
    }

    #[test]
    fun ten_thousand_payments_settle_in_one_call() {
        let stage = stage::set();
        good().with_count(10_000).with_nets(vector[1_000_000, 0, 400_000], vector[0, 1_400_000, 0])
            .signed(&stage).settle(&stage);
        assert!(stage.total(0) == 0 && stage.total(1) == 2_400_000 && stage.total(2) == 600_000);
        stage.audit();
    }

    #[test]
    fun all_approvers_may_sign() {
        let stage = stage::set();
        good().with_indexes(vector[0, 1, 2]).signed(&stage).settle(&stage);
        assert!(settlement::is_settled(stage.corridor(), stage::batch_id()));
    }

    #[test]
    fun the_second_of_the_expiry_is_too_late_and_the_one_before_is_not() {
        let stage = stage::set();
        good().with_expiry(stage::now() + 1).signed(&stage).settle(&stage);
        assert!(settlement::is_settled(stage.corridor(), stage::batch_id()));
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun nothing_is_settled_while_paused() {
        let stage = stage::set();
        stage.pause();
        good().signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun not_even_a_batch_that_moves_nothing_is_settled_while_paused() {
        let stage = stage::set();
        stage.pause();
        good().with_nets(vector[0, 0, 0], vector[0, 0, 0]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_a_submitter_settles() {
        let stage = stage::set();
        good().signed(&stage).settle_by(&stage, &stage::member(0));
    }

    #[test]
    #[expected_failure(abort_code = 0x10001, location = capp_settlement::settlement)]
    fun a_batch_id_has_16_bytes() {
        let stage = stage::set();
        good().with_id(x"00").signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x80002, location = capp_settlement::settlement)]
    fun a_batch_is_settled_once() {
        let stage = settled();
        good().signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x80002, location = capp_settlement::settlement)]
    fun a_batch_id_is_used_once_whatever_else_is_wrong_with_the_second() {
        let stage = settled();
        good().with_nets(vector[1], vector[]).with_expiry(0).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_settlement::settlement)]
    fun a_root_has_32_bytes() {
        let stage = stage::set();
        good().with_root(x"00").signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_settlement::settlement)]
    fun there_is_a_debit_for_every_member() {
        let stage = stage::set();
        good().with_nets(vector[500, 0], vector[0, 300, 200]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_settlement::settlement)]
    fun there_is_a_credit_for_every_member() {
        let stage = stage::set();
        good().with_nets(vector[500, 0, 0], vector[0, 300, 200, 0]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_settlement::approvals)]
    fun there_is_a_signature_for_every_approver_named() {
        let stage = stage::set();
        good().signed(&stage).with_indexes(vector[0, 1, 2]).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10006, location = capp_settlement::settlement)]
    fun a_batch_has_payments() {
        let stage = stage::set();
        good().with_count(0).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_settlement::settlement)]
    fun nobody_pays_and_is_paid() {
        let stage = stage::set();
        good().with_nets(vector[500, 1, 0], vector[0, 301, 200]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10008, location = capp_settlement::settlement)]
    fun a_batch_that_makes_money_is_refused() {
        let stage = stage::set();
        good().with_nets(vector[500, 0, 0], vector[0, 300, 201]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10008, location = capp_settlement::settlement)]
    fun a_batch_that_loses_money_is_refused() {
        let stage = stage::set();
        good().with_nets(vector[500, 0, 0], vector[0, 300, 199]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10008, location = capp_settlement::settlement)]
    fun sums_do_not_wrap_around() {
        let stage = stage::set();
        let most = 18_446_744_073_709_551_615;
        good().with_nets(vector[most, 2, 0], vector[0, 0, 1]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x20009, location = capp_settlement::settlement)]
    fun a_batch_moves_no_more_than_the_governance_lets_it() {
        let stage = stage::set();
        stage.bound(governance::bound_batch_amount_max(), 499);
        good().signed(&stage).settle(&stage);
    }

    #[test]
    fun a_batch_may_move_all_that_the_governance_lets_it() {
        let stage = stage::set();
        stage.bound(governance::bound_batch_amount_max(), 500);
        good().signed(&stage).settle(&stage);
        stage.audit();
    }

    #[test]
    #[expected_failure(abort_code = 0x3000a, location = capp_settlement::settlement)]
    fun approvals_expire() {
        let stage = stage::set();
        let batch = good().signed(&stage);
        timestamp::fast_forward_seconds(3_600);
        batch.settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x2000b, location = capp_settlement::settlement)]
    fun approvals_are_not_for_ever() {
        let stage = stage::set();
        good().with_expiry(stage::now() + 86_401).signed(&stage).settle(&stage);
    }

    #[test]
    fun approvals_may_be_good_as_long_as_the_governance_lets_them() {
        let stage = stage::set();
        good().with_expiry(stage::now() + 86_400).signed(&stage).settle(&stage);
        assert!(settlement::is_settled(stage.corridor(), stage::batch_id()));
    }

    #[test]
    #[expected_failure(abort_code = 0x10006, location = capp_settlement::approvals)]
    fun one_approver_does_not_approve_twice() {
        let stage = stage::set();
        good().with_indexes(vector[1, 1]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10006, location = capp_settlement::approvals)]
    fun approvers_are_named_in_order() {
        let stage = stage::set();
        good().with_indexes(vector[2, 0]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_settlement::approvals)]
    fun approvers_are_known() {
        let stage = stage::set();
        good().with_indexes(vector[0, 3]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50008, location = capp_settlement::approvals)]
    fun one_of_two_is_too_few() {
        let stage = stage::set();
        good().with_indexes(vector[2]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50008, location = capp_settlement::approvals)]
    fun none_is_too_few() {
        let stage = stage::set();
        good().with_indexes(vector[]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x40009, location = capp_settlement::approvals)]
    fun an_approval_of_other_terms_is_none() {
        let stage = stage::set();
        let other = good().with_count(999).signed(&stage).signatures();
        good().with_signatures(other).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x40009, location = capp_settlement::approvals)]
    fun an_approval_by_another_approver_is_none() {
        let stage = stage::set();
        good().signed(&stage).with_indexes(vector[0, 1]).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x40009, location = capp_settlement::approvals)]
    fun one_bad_approval_spoils_the_others() {
        let stage = stage::set();
        let batch = good().with_indexes(vector[0, 1, 2]).signed(&stage);
        let signatures = batch.signatures();
        let byte = &mut signatures[2][5];
        *byte = *byte ^ 1;
        batch.with_signatures(signatures).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x40009, location = capp_settlement::approvals)]
    fun a_signature_of_another_length_is_none() {
        let stage = stage::set();
        let batch = good().signed(&stage);
        let signatures = batch.signatures();
        let second = &mut signatures[1];
        second.push_back(0);
        batch.with_signatures(signatures).settle(&stage);
    }

    /// The hash of the good batch as an approver would make it for a chain, byte by byte.
    fun hash_for(stage: &Stage, chain: u8): vector<u8> {
        let bytes = b"CAPP::SettlementBatch::v1";
        bytes.append(bcs::to_bytes(&chain));
        bytes.append(bcs::to_bytes(&object::object_address(&stage.corridor())));
        bytes.append(bcs::to_bytes(&stage::batch_id()));
        bytes.append(bcs::to_bytes(&ROOT));
        bytes.append(bcs::to_bytes<u64>(&1_000));
        bytes.append(bcs::to_bytes<vector<u64>>(&vector[500, 0, 0]));
        bytes.append(bcs::to_bytes<vector<u64>>(&vector[0, 300, 200]));
        bytes.append(bcs::to_bytes(&(stage::now() + 3_600)));
        hash::sha3_256(bytes)
    }

    fun settle_signed_for(chain: u8) {
        let stage = stage::set();
        let message = hash_for(&stage, chain);
        let signatures =
            vector[stage::sign(stage.secret(0), message), stage::sign(stage.secret(2), message)];
        good().with_signatures(signatures).settle(&stage);
    }

    #[test]
    fun approvals_made_outside_for_this_chain_are_good() {
        settle_signed_for(4);
    }

    #[test]
    #[expected_failure(abort_code = 0x40009, location = capp_settlement::approvals)]
    fun approvals_for_another_chain_are_none() {
        settle_signed_for(1);
    }

    #[test]
    #[expected_failure(abort_code = 0x40009, location = capp_settlement::approvals)]
    fun approvals_for_another_corridor_are_none() {
        let stage = stage::set();
        let batch = good().signed(&stage);
        corridor_of(&stage, stage::members(), stage.keys(), 2);
        let other =
            object::address_to_object<settlement::Corridor>(
                settlement::corridor_address(@0xa3, b"another")
            );
        settlement::settle(
            &stage::submitter(),
            other,
            stage::batch_id(),
            ROOT,
            1_000,
            vector[500, 0, 0],
            vector[0, 300, 200],
            stage::now() + 3_600,
            vector[0, 2],
            batch.signatures()
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun no_batch_is_settled_while_a_member_is_barred_even_one_that_does_not_move() {
        let stage = stage::set();
        stage.bar(@0xb2);
        good().with_nets(vector[5, 0, 0], vector[0, 5, 0]).signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x90009, location = capp_liquidity::liquidity)]
    fun a_pool_that_is_short_settles_nothing() {
        let stage = stage::set();
        good().with_nets(vector[1_000_001, 0, 0], vector[0, 1_000_001, 0]).signed(&stage)
            .settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_debtor_frozen_by_the_issuer_settles_nothing() {
        let stage = stage::set();
        stage.freeze_pool(0, true);
        good().signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::fungible_asset)]
    fun a_creditor_frozen_by_the_issuer_settles_nothing() {
        let stage = stage::set();
        stage.freeze_pool(2, true);
        good().signed(&stage).settle(&stage);
    }

    #[test]
    fun what_was_frozen_settles_once_it_is_not() {
        let stage = stage::set();
        stage.freeze_pool(0, true);
        stage.freeze_pool(0, false);
        good().signed(&stage).settle(&stage);
        stage.audit();
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun a_debtors_pool_that_is_paused_settles_nothing() {
        let stage = stage::set();
        stage.pause_pool(0);
        good().signed(&stage).settle(&stage);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_liquidity::liquidity)]
    fun a_creditors_pool_that_is_paused_settles_nothing() {
        let stage = stage::set();
        stage.pause_pool(1);
        good().signed(&stage).settle(&stage);
    }

    // Views of batches

    #[test]
    #[expected_failure(abort_code = 0x60003, location = capp_settlement::settlement)]
    fun a_batch_that_was_not_settled_has_no_record() {
        let stage = stage::set();
        settlement::batch(stage.corridor(), stage::batch_id());
    }

    #[test]
    fun a_payment_is_verified_and_a_forged_one_is_not() {
        let stage = stage::set();
        let (first, second) = (merkle::hash_leaf(b"first"), merkle::hash_leaf(b"second"));
        let root = merkle::hash_node(first, second);
        stage::draft(root, 2).signed(&stage).settle(&stage);
        let (c, id) = (stage.corridor(), stage::batch_id());
        assert!(settlement::verify_payment(c, id, first, 0, vector[second]));
        assert!(settlement::verify_payment(c, id, second, 1, vector[first]));
        assert!(!settlement::verify_payment(c, id, first, 1, vector[second]));
        assert!(!settlement::verify_payment(c, id, merkle::hash_leaf(b"x"), 0, vector[second]));
        assert!(!settlement::verify_payment(c, x"00", first, 0, vector[second]));
    }
}

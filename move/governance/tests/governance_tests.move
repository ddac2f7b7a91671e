#[test_only]
module capp_governance::governance_tests {
    use std::option;
    use aptos_framework::account;
    use aptos_framework::event;
    use aptos_framework::object::{Self, Object};
    use capp_governance::governance::{Self, Governance};

    const PAUSER: u8 = 1;
    const SUBMITTER: u8 = 2;
    const COMPLIANCE_OFFICER: u8 = 3;
    const LIQUIDITY_MANAGER: u8 = 4;
    const ARBITER: u8 = 5;
    const CORRIDOR_MANAGER: u8 = 6;

    const BATCH_AMOUNT_MAX: u8 = 1;
    const APPROVAL_SECONDS_MAX: u8 = 2;
    const DISPUTE_SECONDS: u8 = 3;
    const ANSWER_SECONDS: u8 = 4;
    const DISPUTE_AMOUNT_MAX: u8 = 5;

    const OWNER: address = @0x11;
    const OTHER: address = @0x22;
    const HEIR: address = @0x33;

    fun owner(): signer {
        account::create_signer_for_test(OWNER)
    }

    fun other(): signer {
        account::create_signer_for_test(OTHER)
    }

    fun heir(): signer {
        account::create_signer_for_test(HEIR)
    }

    fun made(): Object<Governance> {
        governance::create_governance(&owner(), b"house")
    }

    fun made_with_pauser(): Object<Governance> {
        let g = made();
        governance::grant(&owner(), g, OTHER, PAUSER);
        g
    }

    fun paused(): Object<Governance> {
        let g = made_with_pauser();
        governance::pause(&other(), g);
        g
    }

    fun at(g: Object<Governance>): address {
        object::object_address(&g)
    }

    // Made

    #[test]
    fun one_is_made_where_it_was_foretold_and_belongs_to_its_creator() {
        let foretold = governance::address_of(OWNER, b"house");
        governance::create(&owner(), b"house");
        let g = object::address_to_object<Governance>(foretold);
        assert!(governance::owner(g) == OWNER, 0);
        assert!(governance::pending_owner(g) == option::none(), 1);
        assert!(!governance::is_paused(g), 2);
        assert!(
            event::emitted_events<governance::Created>()
                == vector[governance::created(foretold, OWNER, b"house")],
            3
        );
    }

    #[test]
    fun two_installations_know_nothing_of_each_other() {
        let one = made_with_pauser();
        let two = governance::create_governance(&other(), b"house");
        let three = governance::create_governance(&owner(), b"other house");
        governance::pause(&other(), one);
        assert!(governance::is_paused(one), 0);
        assert!(!governance::is_paused(two) && !governance::is_paused(three), 1);
        assert!(!governance::has_role(two, OTHER, PAUSER), 2);
        assert!(!governance::has_role(three, OTHER, PAUSER), 3);
        assert!(governance::owner(two) == OTHER, 4);
        assert!(at(one) != at(two) && at(one) != at(three) && at(two) != at(three), 5);
    }

    #[test]
    #[expected_failure(abort_code = 0x80001, location = aptos_framework::object)]
    fun the_same_seed_makes_no_second_one() {
        made();
        made();
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::object)]
    fun the_object_itself_cannot_be_handed_on() {
        object::transfer(&owner(), made(), OTHER);
    }

    // Roles

    #[test]
    fun every_role_is_granted_and_revoked_by_itself() {
        let g = made();
        for (role in 1..7) {
            assert!(!governance::has_role(g, OTHER, role), (role as u64));
            governance::grant(&owner(), g, OTHER, role);
            for (known in 1..7) {
                assert!(governance::has_role(g, OTHER, known) == (known == role), (role as u64));
            };
            assert!(!governance::has_role(g, HEIR, role), (role as u64));
            governance::assert_role(g, OTHER, role);
            governance::revoke(&owner(), g, OTHER, role);
            assert!(!governance::has_role(g, OTHER, role), (role as u64));
            assert!(event::was_event_emitted(&governance::role_granted(at(g), OTHER, role)), 10);
            assert!(event::was_event_emitted(&governance::role_revoked(at(g), OTHER, role)), 11);
        };
        assert!(event::emitted_events<governance::RoleGranted>().length() == 6, 12);
        assert!(event::emitted_events<governance::RoleRevoked>().length() == 6, 13);
    }

    #[test]
    fun roles_go_by_the_numbers_that_were_agreed() {
        assert!(governance::role_pauser() == PAUSER, 1);
        assert!(governance::role_submitter() == SUBMITTER, 2);
        assert!(governance::role_compliance_officer() == COMPLIANCE_OFFICER, 3);
        assert!(governance::role_liquidity_manager() == LIQUIDITY_MANAGER, 4);
        assert!(governance::role_arbiter() == ARBITER, 5);
        assert!(governance::role_corridor_manager() == CORRIDOR_MANAGER, 6);
    }

    #[test]
    fun a_role_granted_again_is_no_event_and_one_revocation_takes_it() {
        let g = made_with_pauser();
        governance::grant(&owner(), g, OTHER, PAUSER);
        assert!(event::emitted_events<governance::RoleGranted>().length() == 1, 0);
        governance::revoke(&owner(), g, OTHER, PAUSER);
        governance::revoke(&owner(), g, OTHER, PAUSER);
        assert!(event::emitted_events<governance::RoleRevoked>().length() == 1, 1);
        assert!(!governance::has_role(g, OTHER, PAUSER), 2);
    }

    #[test]
    fun a_role_that_was_revoked_can_be_granted_again() {
        let g = made_with_pauser();
        governance::revoke(&owner(), g, OTHER, PAUSER);
        governance::grant(&owner(), g, OTHER, PAUSER);
        assert!(governance::has_role(g, OTHER, PAUSER), 0);
        assert!(event::emitted_events<governance::RoleGranted>().length() == 2, 1);
    }

    #[test]
    fun nobody_has_a_role_that_there_is_not() {
        let g = made();
        assert!(!governance::has_role(g, OWNER, 0), 0);
        assert!(!governance::has_role(g, OWNER, 7), 1);
    }

    #[test]
    fun the_owner_has_no_role_until_it_grants_itself_one() {
        let g = made();
        assert!(!governance::has_role(g, OWNER, PAUSER), 0);
        governance::grant(&owner(), g, OWNER, PAUSER);
        governance::pause(&owner(), g);
        assert!(governance::is_paused(g), 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun only_the_owner_grants() {
        governance::grant(&other(), made_with_pauser(), OTHER, SUBMITTER);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun only_the_owner_revokes() {
        governance::revoke(&other(), made_with_pauser(), OTHER, PAUSER);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_governance::governance)]
    fun role_nought_is_not_granted() {
        governance::grant(&owner(), made(), OTHER, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_governance::governance)]
    fun role_seven_is_not_granted() {
        governance::grant(&owner(), made(), OTHER, 7);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_governance::governance)]
    fun a_role_that_there_is_not_is_not_revoked() {
        governance::revoke(&owner(), made(), OTHER, 7);
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_governance::governance)]
    fun nobody_is_granted_nothing() {
        governance::grant(&owner(), made(), @0x0, PAUSER);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun another_role_is_not_this_role() {
        governance::assert_role(made_with_pauser(), OTHER, SUBMITTER);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun a_revoked_role_is_no_role() {
        let g = made_with_pauser();
        governance::revoke(&owner(), g, OTHER, PAUSER);
        governance::assert_role(g, OTHER, PAUSER);
    }

    // Ownership

    #[test]
    fun ownership_changes_hands_in_two_steps() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        assert!(governance::owner(g) == OWNER, 0);
        assert!(governance::pending_owner(g) == option::some(HEIR), 1);
        governance::accept_ownership(&heir(), g);
        assert!(governance::owner(g) == HEIR, 2);
        assert!(governance::pending_owner(g) == option::none(), 3);
        governance::assert_owner(g, HEIR);
        assert!(
            event::emitted_events<governance::OwnershipOffered>()
                == vector[governance::ownership_offered(at(g), OWNER, HEIR)],
            4
        );
        assert!(
            event::emitted_events<governance::OwnershipTransferred>()
                == vector[governance::ownership_transferred(at(g), OWNER, HEIR)],
            5
        );
    }

    #[test]
    fun what_the_former_owner_had_granted_stays() {
        let g = made_with_pauser();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::accept_ownership(&heir(), g);
        assert!(governance::has_role(g, OTHER, PAUSER), 0);
        governance::revoke(&heir(), g, OTHER, PAUSER);
        assert!(!governance::has_role(g, OTHER, PAUSER), 1);
    }

    #[test]
    fun a_later_offer_takes_the_place_of_an_earlier_one() {
        let g = made();
        governance::offer_ownership(&owner(), g, OTHER);
        governance::offer_ownership(&owner(), g, HEIR);
        assert!(governance::pending_owner(g) == option::some(HEIR), 0);
        assert!(event::emitted_events<governance::OwnershipOffered>().length() == 2, 1);
    }

    #[test]
    fun an_offer_is_withdrawn() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::withdraw_offer(&owner(), g);
        assert!(governance::pending_owner(g) == option::none(), 0);
        assert!(
            event::emitted_events<governance::OwnershipOfferWithdrawn>()
                == vector[governance::ownership_offer_withdrawn(at(g), OWNER, HEIR)],
            1
        );
    }

    #[test]
    fun ownership_changes_hands_while_paused() {
        let g = paused();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::accept_ownership(&heir(), g);
        governance::unpause(&heir(), g);
        assert!(!governance::is_paused(g), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun the_former_owner_decides_nothing() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::accept_ownership(&heir(), g);
        governance::grant(&owner(), g, OWNER, PAUSER);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun only_the_owner_offers() {
        governance::offer_ownership(&other(), made(), OTHER);
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_governance::governance)]
    fun nobody_is_offered_nothing() {
        governance::offer_ownership(&owner(), made(), @0x0);
    }

    #[test]
    #[expected_failure(abort_code = 0x1000a, location = capp_governance::governance)]
    fun the_owner_is_not_offered_what_it_has() {
        governance::offer_ownership(&owner(), made(), OWNER);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun who_is_offered_ownership_cannot_withdraw_it() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::withdraw_offer(&heir(), g);
    }

    #[test]
    #[expected_failure(abort_code = 0x60008, location = capp_governance::governance)]
    fun there_is_nothing_to_withdraw_without_an_offer() {
        governance::withdraw_offer(&owner(), made());
    }

    #[test]
    #[expected_failure(abort_code = 0x60008, location = capp_governance::governance)]
    fun there_is_nothing_to_accept_without_an_offer() {
        governance::accept_ownership(&heir(), made());
    }

    #[test]
    #[expected_failure(abort_code = 0x60008, location = capp_governance::governance)]
    fun a_withdrawn_offer_is_not_accepted() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::withdraw_offer(&owner(), g);
        governance::accept_ownership(&heir(), g);
    }

    #[test]
    #[expected_failure(abort_code = 0x60008, location = capp_governance::governance)]
    fun an_offer_is_accepted_once() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::accept_ownership(&heir(), g);
        governance::accept_ownership(&heir(), g);
    }

    #[test]
    #[expected_failure(abort_code = 0x50009, location = capp_governance::governance)]
    fun nobody_else_accepts() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::accept_ownership(&other(), g);
    }

    #[test]
    #[expected_failure(abort_code = 0x50009, location = capp_governance::governance)]
    fun who_was_offered_it_before_another_does_not_accept() {
        let g = made();
        governance::offer_ownership(&owner(), g, OTHER);
        governance::offer_ownership(&owner(), g, HEIR);
        governance::accept_ownership(&other(), g);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun an_offer_alone_makes_nobody_the_owner() {
        let g = made();
        governance::offer_ownership(&owner(), g, HEIR);
        governance::assert_owner(g, HEIR);
    }

    // Pause

    #[test]
    fun a_pauser_pauses_and_the_owner_goes_on() {
        let g = made_with_pauser();
        governance::assert_not_paused(g);
        governance::pause(&other(), g);
        assert!(governance::is_paused(g), 0);
        governance::unpause(&owner(), g);
        assert!(!governance::is_paused(g), 1);
        governance::assert_not_paused(g);
        assert!(
            event::emitted_events<governance::Paused>()
                == vector[governance::paused(at(g), OTHER)],
            2
        );
        assert!(
            event::emitted_events<governance::Unpaused>()
                == vector[governance::unpaused(at(g), OWNER)],
            3
        );
    }

    #[test]
    fun pausing_and_unpausing_again_is_no_event() {
        let g = paused();
        governance::pause(&other(), g);
        assert!(governance::is_paused(g), 0);
        governance::unpause(&owner(), g);
        governance::unpause(&owner(), g);
        assert!(!governance::is_paused(g), 1);
        assert!(event::emitted_events<governance::Paused>().length() == 1, 2);
        assert!(event::emitted_events<governance::Unpaused>().length() == 1, 3);
    }

    #[test]
    fun roles_and_bounds_change_while_paused() {
        let g = paused();
        governance::revoke(&owner(), g, OTHER, PAUSER);
        governance::grant(&owner(), g, HEIR, PAUSER);
        governance::set_bound(&owner(), g, BATCH_AMOUNT_MAX, 1);
        assert!(governance::has_role(g, HEIR, PAUSER), 0);
        assert!(governance::bound(g, BATCH_AMOUNT_MAX) == 1, 1);
        assert!(governance::is_paused(g), 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun a_pause_is_felt() {
        governance::assert_not_paused(paused());
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun the_owner_is_no_pauser() {
        governance::pause(&owner(), made_with_pauser());
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun another_role_does_not_pause() {
        let g = made();
        governance::grant(&owner(), g, OTHER, SUBMITTER);
        governance::pause(&other(), g);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun a_pauser_does_not_unpause() {
        governance::unpause(&other(), paused());
    }

    // Bounds

    #[test]
    fun bounds_have_their_defaults() {
        let g = made();
        assert!(governance::bound(g, BATCH_AMOUNT_MAX) == 1_000_000_000_000_000, 1);
        assert!(governance::bound(g, APPROVAL_SECONDS_MAX) == 86_400, 2);
        assert!(governance::bound(g, DISPUTE_SECONDS) == 259_200, 3);
        assert!(governance::bound(g, ANSWER_SECONDS) == 86_400, 4);
        assert!(governance::bound(g, DISPUTE_AMOUNT_MAX) == 1_000_000_000_000, 5);
    }

    #[test]
    fun bounds_go_by_the_numbers_that_were_agreed() {
        assert!(governance::bound_batch_amount_max() == BATCH_AMOUNT_MAX, 1);
        assert!(governance::bound_approval_seconds_max() == APPROVAL_SECONDS_MAX, 2);
        assert!(governance::bound_dispute_seconds() == DISPUTE_SECONDS, 3);
        assert!(governance::bound_answer_seconds() == ANSWER_SECONDS, 4);
        assert!(governance::bound_dispute_amount_max() == DISPUTE_AMOUNT_MAX, 5);
    }

    #[test]
    fun every_bound_takes_its_least_and_its_most() {
        let g = made();
        for (which in 1..6) {
            let (least, usual, most) = governance::range_of(which);
            assert!(least < usual && usual < most, (which as u64));
            governance::set_bound(&owner(), g, which, least);
            assert!(governance::bound(g, which) == least, (which as u64));
            governance::set_bound(&owner(), g, which, most);
            assert!(governance::bound(g, which) == most, (which as u64));
            assert!(
                event::was_event_emitted(&governance::bound_set(at(g), which, usual, least)), 10
            );
            assert!(
                event::was_event_emitted(&governance::bound_set(at(g), which, least, most)), 11
            );
        };
        assert!(event::emitted_events<governance::BoundSet>().length() == 10, 12);
    }

    #[test]
    fun a_bound_set_to_what_it_is_is_no_event() {
        let g = made();
        governance::set_bound(&owner(), g, DISPUTE_SECONDS, 259_200);
        governance::set_bound(&owner(), g, DISPUTE_SECONDS, 0);
        governance::set_bound(&owner(), g, DISPUTE_SECONDS, 0);
        assert!(governance::bound(g, DISPUTE_SECONDS) == 0, 0);
        assert!(
            event::emitted_events<governance::BoundSet>()
                == vector[governance::bound_set(at(g), DISPUTE_SECONDS, 259_200, 0)],
            1
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = capp_governance::governance)]
    fun only_the_owner_sets_a_bound() {
        governance::set_bound(&other(), made_with_pauser(), DISPUTE_SECONDS, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_governance::governance)]
    fun there_is_no_bound_nought() {
        governance::bound(made(), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10005, location = capp_governance::governance)]
    fun a_bound_that_there_is_not_is_not_set() {
        governance::set_bound(&owner(), made(), 6, 60);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun a_batch_may_move_something() {
        governance::set_bound(&owner(), made(), BATCH_AMOUNT_MAX, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun a_batch_may_not_move_everything() {
        governance::set_bound(&owner(), made(), BATCH_AMOUNT_MAX, 1_000_000_000_000_000_001);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun approvals_live_for_a_minute_at_least() {
        governance::set_bound(&owner(), made(), APPROVAL_SECONDS_MAX, 59);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun approvals_live_for_a_week_at_most() {
        governance::set_bound(&owner(), made(), APPROVAL_SECONDS_MAX, 604_801);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun disputes_are_opened_for_thirty_days_at_most() {
        governance::set_bound(&owner(), made(), DISPUTE_SECONDS, 2_592_001);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun answers_have_a_minute_at_least() {
        governance::set_bound(&owner(), made(), ANSWER_SECONDS, 59);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun answers_have_a_week_at_most() {
        governance::set_bound(&owner(), made(), ANSWER_SECONDS, 604_801);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun a_dispute_may_be_about_something() {
        governance::set_bound(&owner(), made(), DISPUTE_AMOUNT_MAX, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x20006, location = capp_governance::governance)]
    fun a_dispute_may_not_be_about_everything() {
        governance::set_bound(&owner(), made(), DISPUTE_AMOUNT_MAX, 1_000_000_000_000_001);
    }
}

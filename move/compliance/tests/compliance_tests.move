#[test_only]
module capp_compliance::compliance_tests {
    use std::bcs;
    use std::hash;
    use aptos_framework::account;
    use aptos_framework::event;
    use aptos_framework::object::{Self, Object};
    use aptos_framework::timestamp;
    use capp_compliance::compliance::{Self, Registry};
    use capp_governance::governance::{Self, Governance};

    const PAUSER: u8 = 1;
    const SUBMITTER: u8 = 2;
    const COMPLIANCE_OFFICER: u8 = 3;

    const OWNER: address = @0x11;
    const OFFICER: address = @0x22;
    const OTHER: address = @0x33;
    const ISSUER: address = @0x44;

    const NOW: u64 = 1_000_000;
    const LATER: u64 = 1_000_060;

    fun owner(): signer {
        account::create_signer_for_test(OWNER)
    }

    fun officer(): signer {
        account::create_signer_for_test(OFFICER)
    }

    fun other(): signer {
        account::create_signer_for_test(OTHER)
    }

    /// A registry with an officer and a pauser, at `NOW`.
    fun made(): Object<Registry> {
        let framework = account::create_signer_for_test(@aptos_framework);
        timestamp::set_time_has_started_for_testing(&framework);
        timestamp::update_global_time_for_test_secs(NOW);
        let g = governance::create_governance(&owner(), b"house");
        governance::grant(&owner(), g, OFFICER, COMPLIANCE_OFFICER);
        governance::grant(&owner(), g, OWNER, PAUSER);
        compliance::create_registry(&owner(), g, b"registry")
    }

    fun pause(r: Object<Registry>) {
        governance::pause(&owner(), compliance::governance_of(r));
    }

    fun made_and_paused(): Object<Registry> {
        let r = made();
        pause(r);
        r
    }

    fun at(r: Object<Registry>): address {
        object::object_address(&r)
    }

    fun house(): Object<Governance> {
        object::address_to_object(governance::address_of(OWNER, b"house"))
    }

    fun somebody(): vector<u8> {
        hash::sha3_256(b"somebody")
    }

    fun somebody_else(): vector<u8> {
        hash::sha3_256(b"somebody else")
    }

    fun paper(): vector<u8> {
        hash::sha3_256(b"paper")
    }

    fun too_short(): vector<u8> {
        let bytes = somebody();
        bytes.pop_back();
        bytes
    }

    fun too_long(): vector<u8> {
        let bytes = somebody();
        bytes.push_back(0);
        bytes
    }

    fun attest(r: Object<Registry>) {
        compliance::attest(&officer(), r, somebody(), paper(), ISSUER, 2, LATER);
    }

    fun bar(r: Object<Registry>, subject: vector<u8>) {
        compliance::bar(&officer(), r, 7, vector[subject], vector[1]);
    }

    fun many(count: u64): vector<vector<u8>> {
        let subjects = vector[];
        for (i in 0..count) subjects.push_back(hash::sha3_256(bcs::to_bytes(&i)));
        subjects
    }

    fun ones(count: u64): vector<u8> {
        let reasons = vector[];
        for (i in 0..count) reasons.push_back(1);
        reasons
    }

    // Made

    #[test]
    fun one_is_made_where_it_was_foretold_and_is_empty() {
        let r = made();
        assert!(at(r) == compliance::address_of(OWNER, b"registry"), 0);
        assert!(compliance::governance_of(r) == house(), 1);
        assert!(compliance::list_version(r) == 0, 2);
        assert!(!compliance::is_barred(r, somebody()), 3);
        assert!(
            event::emitted_events<compliance::Created>()
                == vector[
                    compliance::created(at(r), object::object_address(&house()), OWNER, b"registry")
                ],
            4
        );
    }

    #[test]
    fun the_entry_makes_the_same() {
        let g = governance::create_governance(&owner(), b"house");
        compliance::create(&other(), g, b"theirs");
        let r =
            object::address_to_object<Registry>(compliance::address_of(OTHER, b"theirs"));
        assert!(compliance::governance_of(r) == g, 0);
    }

    #[test]
    fun two_registries_know_nothing_of_each_other() {
        let one = made();
        let two = compliance::create_registry(&owner(), house(), b"another");
        bar(one, somebody());
        attest(one);
        assert!(!compliance::is_barred(two, somebody()), 0);
        assert!(!compliance::is_attested(two, somebody(), 1), 1);
        assert!(compliance::list_version(two) == 0, 2);
    }

    #[test]
    #[expected_failure(abort_code = 0x80001, location = aptos_framework::object)]
    fun the_same_seed_makes_no_second_one() {
        made();
        compliance::create(&owner(), house(), b"registry");
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::object)]
    fun the_object_itself_cannot_be_handed_on() {
        object::transfer(&owner(), made(), OTHER);
    }

    // Subjects

    #[test]
    fun an_account_is_known_by_the_hash_of_its_bytes() {
        assert!(
            compliance::subject_of(@0xca01)
                == hash::sha3_256(
                    x"000000000000000000000000000000000000000000000000000000000000ca01"
                ),
            0
        );
    }

    // Attestations

    #[test]
    fun an_attestation_is_put_down_and_read() {
        let r = made();
        attest(r);
        let (exists, hash, issuer, level, expires_at) = compliance::attestation(r, somebody());
        assert!(exists && hash == paper() && issuer == ISSUER, 0);
        assert!(level == 2 && expires_at == LATER, 1);
        assert!(
            event::emitted_events<compliance::Attested>()
                == vector[
                    compliance::attested(at(r), somebody(), paper(), ISSUER, 0, 2, 0, LATER)
                ],
            1
        );
    }

    #[test]
    fun who_was_never_attested_has_nothing() {
        let r = made();
        attest(r);
        let (exists, hash, issuer, level, expires_at) = compliance::attestation(r, somebody_else());
        assert!(!exists && hash == vector[] && issuer == @0x0 && level == 0 && expires_at == 0, 0);
        assert!(!compliance::is_attested(r, somebody_else(), 0), 1);
    }

    #[test]
    fun a_level_serves_for_itself_and_those_below() {
        let r = made();
        attest(r);
        assert!(compliance::is_attested(r, somebody(), 1), 1);
        assert!(compliance::is_attested(r, somebody(), 2), 2);
        assert!(!compliance::is_attested(r, somebody(), 3), 3);
    }

    #[test]
    fun an_attestation_ends_at_its_second_and_can_still_be_read() {
        let r = made();
        attest(r);
        timestamp::update_global_time_for_test_secs(LATER - 1);
        assert!(compliance::is_attested(r, somebody(), 2), 0);
        timestamp::update_global_time_for_test_secs(LATER);
        assert!(!compliance::is_attested(r, somebody(), 2), 1);
        let (exists, _, _, _, expires_at) = compliance::attestation(r, somebody());
        assert!(exists && expires_at == LATER, 2);
    }

    #[test]
    fun a_new_attestation_takes_the_place_of_the_old() {
        let r = made();
        attest(r);
        compliance::attest(&officer(), r, somebody(), somebody_else(), OTHER, 1, LATER + 1);
        let (_, hash, issuer, level, expires_at) = compliance::attestation(r, somebody());
        assert!(hash == somebody_else() && issuer == OTHER, 0);
        assert!(level == 1 && expires_at == LATER + 1, 1);
        assert!(
            event::was_event_emitted(
                &compliance::attested(
                    at(r),
                    somebody(),
                    somebody_else(),
                    OTHER,
                    2,
                    1,
                    LATER,
                    LATER + 1
                )
            ),
            1
        );
    }

    #[test]
    fun the_same_attestation_again_is_no_event() {
        let r = made();
        attest(r);
        attest(r);
        assert!(event::emitted_events<compliance::Attested>().length() == 1, 0);
    }

    #[test]
    fun an_attestation_lasts_five_years_at_most() {
        let r = made();
        compliance::attest(&officer(), r, somebody(), paper(), ISSUER, 1, NOW + 157_680_000);
        assert!(compliance::is_attested(r, somebody(), 1), 0);
    }

    #[test]
    fun an_attestation_is_taken_back_also_while_paused() {
        let r = made();
        attest(r);
        pause(r);
        compliance::revoke_attestation(&officer(), r, somebody());
        compliance::revoke_attestation(&officer(), r, somebody());
        assert!(!compliance::is_attested(r, somebody(), 1), 0);
        let (exists, _, _, _, _) = compliance::attestation(r, somebody());
        assert!(!exists, 1);
        assert!(
            event::emitted_events<compliance::AttestationRevoked>()
                == vector[
                    compliance::attestation_revoked(
                        at(r), somebody(), paper(), ISSUER, 2, LATER
                    )
                ],
            2
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun nobody_is_attested_while_paused() {
        attest(made_and_paused());
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_an_officer_attests() {
        compliance::attest(&owner(), made(), somebody(), paper(), ISSUER, 1, LATER);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun the_officer_of_another_installation_does_not_attest() {
        let r = made();
        let g = governance::create_governance(&other(), b"theirs");
        governance::grant(&other(), g, OTHER, COMPLIANCE_OFFICER);
        compliance::attest(&other(), r, somebody(), paper(), ISSUER, 1, LATER);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun another_role_does_not_attest() {
        let r = made();
        governance::grant(&owner(), house(), OTHER, SUBMITTER);
        compliance::attest(&other(), r, somebody(), paper(), ISSUER, 1, LATER);
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = capp_compliance::compliance)]
    fun a_short_subject_is_not_attested() {
        compliance::attest(&officer(), made(), too_short(), paper(), ISSUER, 1, LATER);
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = capp_compliance::compliance)]
    fun a_long_attestation_hash_is_refused() {
        compliance::attest(&officer(), made(), somebody(), too_long(), ISSUER, 1, LATER);
    }

    #[test]
    #[expected_failure(abort_code = 0x10003, location = capp_compliance::compliance)]
    fun somebody_must_have_attested() {
        compliance::attest(&officer(), made(), somebody(), paper(), @0x0, 1, LATER);
    }

    #[test]
    #[expected_failure(abort_code = 0x10004, location = capp_compliance::compliance)]
    fun level_nought_attests_nothing() {
        compliance::attest(&officer(), made(), somebody(), paper(), ISSUER, 0, LATER);
    }

    #[test]
    #[expected_failure(abort_code = 0x20005, location = capp_compliance::compliance)]
    fun an_attestation_does_not_end_now() {
        compliance::attest(&officer(), made(), somebody(), paper(), ISSUER, 1, NOW);
    }

    #[test]
    #[expected_failure(abort_code = 0x20005, location = capp_compliance::compliance)]
    fun an_attestation_does_not_outlast_five_years() {
        compliance::attest(&officer(), made(), somebody(), paper(), ISSUER, 1, NOW + 157_680_001);
    }

    #[test]
    #[expected_failure(abort_code = 0x20005, location = capp_compliance::compliance)]
    fun the_end_of_time_is_too_late_and_no_overflow() {
        compliance::attest(
            &officer(), made(), somebody(), paper(), ISSUER, 1, 18_446_744_073_709_551_615
        );
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_an_officer_takes_an_attestation_back() {
        let r = made();
        attest(r);
        compliance::revoke_attestation(&other(), r, somebody());
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = capp_compliance::compliance)]
    fun nothing_is_taken_back_from_a_short_subject() {
        compliance::revoke_attestation(&officer(), made(), too_short());
    }

    // Bars

    #[test]
    fun subjects_are_barred_each_for_its_reason() {
        let r = made();
        compliance::bar(
            &officer(), r, 7, vector[somebody(), compliance::subject_of(OTHER)], vector[3, 255]
        );
        assert!(compliance::reason_of(r, somebody()) == 3, 0);
        assert!(compliance::reason_of(r, compliance::subject_of(OTHER)) == 255, 1);
        assert!(compliance::is_barred(r, somebody()), 2);
        assert!(!compliance::is_barred(r, somebody_else()), 3);
        assert!(compliance::list_version(r) == 7, 4);
        let (reason, list_version) = compliance::bar_of(r, somebody());
        assert!(reason == 3 && list_version == 7, 5);
        assert!(
            event::emitted_events<compliance::Barred>()
                == vector[
                    compliance::barred(at(r), somebody(), 0, 3, 7),
                    compliance::barred(at(r), compliance::subject_of(OTHER), 0, 255, 7)
                ],
            6
        );
        assert!(
            event::emitted_events<compliance::ListVersionSet>()
                == vector[compliance::list_version_set(at(r), 0, 7)],
            7
        );
    }

    #[test]
    fun who_is_not_barred_is_clear() {
        let r = made();
        bar(r, somebody());
        compliance::assert_clear(r, OTHER);
    }

    #[test]
    fun one_edition_may_take_several_calls() {
        let r = made();
        bar(r, somebody());
        bar(r, somebody_else());
        assert!(compliance::is_barred(r, somebody()), 0);
        assert!(compliance::is_barred(r, somebody_else()), 1);
        assert!(event::emitted_events<compliance::ListVersionSet>().length() == 1, 2);
    }

    #[test]
    fun an_edition_without_news_moves_the_version_alone() {
        let r = made();
        compliance::bar(&officer(), r, 1, vector[], vector[]);
        assert!(compliance::list_version(r) == 1, 0);
        compliance::unbar(&officer(), r, 2, vector[]);
        assert!(compliance::list_version(r) == 2, 1);
        assert!(
            event::emitted_events<compliance::ListVersionSet>()
                == vector[
                    compliance::list_version_set(at(r), 0, 1),
                    compliance::list_version_set(at(r), 1, 2)
                ],
            2
        );
    }

    #[test]
    fun a_bar_for_another_reason_takes_the_place_of_the_old() {
        let r = made();
        bar(r, somebody());
        compliance::bar(&officer(), r, 8, vector[somebody()], vector[2]);
        let (reason, list_version) = compliance::bar_of(r, somebody());
        assert!(reason == 2 && list_version == 8, 0);
        assert!(
            event::was_event_emitted(&compliance::barred(at(r), somebody(), 1, 2, 8)), 1
        );
    }

    #[test]
    fun the_same_bar_again_is_no_event_and_keeps_its_edition() {
        let r = made();
        bar(r, somebody());
        bar(r, somebody());
        compliance::bar(&officer(), r, 8, vector[somebody()], vector[1]);
        let (_, list_version) = compliance::bar_of(r, somebody());
        assert!(list_version == 7, 0);
        assert!(event::emitted_events<compliance::Barred>().length() == 1, 1);
    }

    #[test]
    fun subjects_are_freed() {
        let r = made();
        bar(r, somebody());
        bar(r, somebody_else());
        compliance::unbar(&officer(), r, 8, vector[somebody()]);
        compliance::unbar(&officer(), r, 8, vector[somebody()]);
        assert!(!compliance::is_barred(r, somebody()), 0);
        assert!(compliance::is_barred(r, somebody_else()), 1);
        assert!(compliance::list_version(r) == 8, 2);
        assert!(
            event::emitted_events<compliance::Unbarred>()
                == vector[compliance::unbarred(at(r), somebody(), 1, 8)],
            3
        );
    }

    #[test]
    fun who_was_freed_can_be_barred_again() {
        let r = made();
        bar(r, somebody());
        compliance::unbar(&officer(), r, 7, vector[somebody()]);
        bar(r, somebody());
        assert!(compliance::is_barred(r, somebody()), 0);
        assert!(event::emitted_events<compliance::Barred>().length() == 2, 1);
    }

    #[test]
    fun five_hundred_are_barred_and_freed_in_one_call() {
        let r = made();
        compliance::bar(&officer(), r, 1, many(500), ones(500));
        assert!(event::emitted_events<compliance::Barred>().length() == 500, 0);
        compliance::unbar(&officer(), r, 2, many(500));
        assert!(event::emitted_events<compliance::Unbarred>().length() == 500, 1);
    }

    #[test]
    fun a_pause_protects_nobody_from_being_barred() {
        let r = made_and_paused();
        bar(r, somebody());
        assert!(compliance::is_barred(r, somebody()), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50001, location = capp_compliance::compliance)]
    fun who_is_barred_is_not_clear() {
        let r = made();
        bar(r, compliance::subject_of(OTHER));
        compliance::assert_clear(r, OTHER);
    }

    #[test]
    #[expected_failure(abort_code = 0x30001, location = capp_governance::governance)]
    fun nobody_is_freed_while_paused() {
        let r = made();
        bar(r, somebody());
        pause(r);
        compliance::unbar(&officer(), r, 8, vector[somebody()]);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_an_officer_bars() {
        compliance::bar(&owner(), made(), 1, vector[somebody()], vector[1]);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_an_officer_frees() {
        compliance::unbar(&owner(), made(), 1, vector[somebody()]);
    }

    #[test]
    #[expected_failure(abort_code = 0x10006, location = capp_compliance::compliance)]
    fun the_list_does_not_go_back_by_barring() {
        let r = made();
        bar(r, somebody());
        compliance::bar(&officer(), r, 6, vector[somebody_else()], vector[1]);
    }

    #[test]
    #[expected_failure(abort_code = 0x10006, location = capp_compliance::compliance)]
    fun the_list_does_not_go_back_by_freeing() {
        let r = made();
        bar(r, somebody());
        compliance::unbar(&officer(), r, 6, vector[somebody()]);
    }

    #[test]
    #[expected_failure(abort_code = 0x10006, location = capp_compliance::compliance)]
    fun there_is_no_edition_nought() {
        compliance::bar(&officer(), made(), 0, vector[somebody()], vector[1]);
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = capp_compliance::compliance)]
    fun a_long_subject_is_not_barred() {
        bar(made(), too_long());
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = capp_compliance::compliance)]
    fun a_short_subject_is_not_freed() {
        compliance::unbar(&officer(), made(), 1, vector[too_short()]);
    }

    #[test]
    #[expected_failure(abort_code = 0x10007, location = capp_compliance::compliance)]
    fun every_subject_has_its_reason() {
        compliance::bar(&officer(), made(), 1, vector[somebody(), somebody_else()], vector[1]);
    }

    #[test]
    #[expected_failure(abort_code = 0x10008, location = capp_compliance::compliance)]
    fun reason_nought_bars_nobody() {
        compliance::bar(&officer(), made(), 1, vector[somebody()], vector[0]);
    }

    #[test]
    #[expected_failure(abort_code = 0x10009, location = capp_compliance::compliance)]
    fun not_more_than_five_hundred_are_barred_in_one_call() {
        compliance::bar(&officer(), made(), 1, many(501), ones(501));
    }

    #[test]
    #[expected_failure(abort_code = 0x10009, location = capp_compliance::compliance)]
    fun not_more_than_five_hundred_are_freed_in_one_call() {
        compliance::unbar(&officer(), made(), 1, many(501));
    }

    // Reports

    #[test]
    fun periods_are_reported_each_once_in_any_order() {
        let r = made();
        compliance::report(&officer(), r, 202611, paper(), 12);
        compliance::report(&officer(), r, 202610, somebody(), 0);
        let (exists, root, count) = compliance::report_of(r, 202611);
        assert!(exists && root == paper() && count == 12, 0);
        let (exists, root, count) = compliance::report_of(r, 202610);
        assert!(exists && root == somebody() && count == 0, 1);
        let (exists, root, count) = compliance::report_of(r, 202609);
        assert!(!exists && root == vector[] && count == 0, 2);
        assert!(
            event::emitted_events<compliance::Reported>()
                == vector[
                    compliance::reported(at(r), 202611, paper(), 12),
                    compliance::reported(at(r), 202610, somebody(), 0)
                ],
            3
        );
    }

    #[test]
    fun a_period_is_reported_while_paused() {
        let r = made_and_paused();
        compliance::report(&officer(), r, 202611, paper(), 12);
        let (exists, _, _) = compliance::report_of(r, 202611);
        assert!(exists, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x8000a, location = capp_compliance::compliance)]
    fun a_report_is_never_changed() {
        let r = made();
        compliance::report(&officer(), r, 202611, paper(), 12);
        compliance::report(&officer(), r, 202611, paper(), 12);
    }

    #[test]
    #[expected_failure(abort_code = 0x50002, location = capp_governance::governance)]
    fun only_an_officer_reports() {
        compliance::report(&other(), made(), 202611, paper(), 12);
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = capp_compliance::compliance)]
    fun a_short_root_is_not_reported() {
        compliance::report(&officer(), made(), 202611, too_short(), 12);
    }
}

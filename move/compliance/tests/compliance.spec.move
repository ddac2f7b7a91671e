/// What compliance promises, for the Move prover. The compiler of `make move` reads and type-checks
/// it; to prove it is for the Aptos CLI (`aptos move prove`), which is not part of this repository.
spec capp_compliance::compliance {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: Only a compliance officer of the registry's own installation changes anything
    /// in it.
    /// Criticality: Critical
    /// Implementation: Every entry function but create asks the registry's governance for the role.
    /// Enforcement: [high-level-req-1](OfficerOnly), included by attest, revoke_attestation, bar,
    /// unbar, report.
    ///
    /// No.: 2
    /// Requirement: The version of the list never goes back.
    /// Criticality: High
    /// Implementation: bar and unbar compare with the version that is kept before they change
    /// anything.
    /// Enforcement: [high-level-req-2](MovesList).
    ///
    /// No.: 3
    /// Requirement: A report is never changed.
    /// Criticality: High
    /// Implementation: report refuses a period that has one.
    /// Enforcement: [high-level-req-3](report).
    ///
    /// No.: 4
    /// Requirement: A pause stops what opens a door and never what closes one.
    /// Criticality: High
    /// Implementation: attest and unbar ask for the pause; bar, revoke_attestation and report do
    /// not.
    /// Enforcement: [high-level-req-4](NotPaused) in attest and unbar; its absence, with strict
    /// aborts, elsewhere.
    ///
    /// No.: 5
    /// Requirement: Nothing but 32-byte hashes is kept of a subject or a document.
    /// Criticality: High
    /// Implementation: assert_hash on every subject, attestation hash and root before it is stored.
    /// Enforcement: [high-level-req-5](attest, bar_one, report).
    /// </high-level-req>
    spec module {
        pragma verify = true;
        pragma aborts_if_is_strict;
    }

    // Words used below

    spec fun at(r: Object<Registry>): address {
        object::object_address(r)
    }

    spec fun house_of(r: Object<Registry>): address {
        object::object_address(global<Registry>(at(r)).governance)
    }

    spec fun is_kept_attested(r: Object<Registry>, subject: vector<u8>): bool {
        table::spec_contains(global<Registry>(at(r)).attestations, subject)
    }

    spec fun attestation_kept(r: Object<Registry>, subject: vector<u8>): Attestation {
        table::spec_get(global<Registry>(at(r)).attestations, subject)
    }

    spec fun is_kept_barred(r: Object<Registry>, subject: vector<u8>): bool {
        table::spec_contains(global<Registry>(at(r)).bars, subject)
    }

    spec fun bar_kept(r: Object<Registry>, subject: vector<u8>): Bar {
        table::spec_get(global<Registry>(at(r)).bars, subject)
    }

    spec fun is_reported(r: Object<Registry>, period: u64): bool {
        table::spec_contains(global<Registry>(at(r)).reports, period)
    }

    spec fun report_kept(r: Object<Registry>, period: u64): Report {
        table::spec_get(global<Registry>(at(r)).reports, period)
    }

    spec fun seconds_now(): u64 {
        global<timestamp::CurrentTimeMicroseconds>(@aptos_framework).microseconds / 1000000
    }

    spec fun is_hash(bytes: vector<u8>): bool {
        len(bytes) == HASH_BYTES
    }

    spec schema Exists {
        r: Object<Registry>;
        aborts_if !exists<Registry>(at(r));
    }

    /// [high-level-req-1]
    spec schema OfficerOnly {
        r: Object<Registry>;
        officer: signer;
        include Exists;
        aborts_if !exists<Governance>(house_of(r));
        aborts_if !governance::has_role(
            global<Registry>(at(r)).governance,
            signer::address_of(officer),
            governance::role_compliance_officer()
        );
    }

    /// [high-level-req-4]
    spec schema NotPaused {
        r: Object<Registry>;
        aborts_if governance::is_paused(global<Registry>(at(r)).governance);
    }

    /// [high-level-req-2]
    spec schema MovesList {
        r: Object<Registry>;
        after: u64;
        aborts_if after == 0 || after < global<Registry>(at(r)).list_version;
        ensures global<Registry>(at(r)).list_version == after;
        ensures global<Registry>(at(r)).list_version >= old(global<Registry>(at(r)).list_version);
    }

    spec schema KeepsHouse {
        r: Object<Registry>;
        ensures global<Registry>(at(r)).governance == old(global<Registry>(at(r)).governance);
    }

    spec schema KeepsList {
        r: Object<Registry>;
        ensures global<Registry>(at(r)).list_version == old(global<Registry>(at(r)).list_version);
        ensures global<Registry>(at(r)).bars == old(global<Registry>(at(r)).bars);
    }

    spec schema KeepsAttestations {
        r: Object<Registry>;
        ensures global<Registry>(at(r)).attestations == old(global<Registry>(at(r)).attestations);
    }

    spec schema KeepsReports {
        r: Object<Registry>;
        ensures global<Registry>(at(r)).reports == old(global<Registry>(at(r)).reports);
    }

    // Views

    spec address_of(creator: address, seed: vector<u8>): address {
        pragma aborts_if_is_partial;
    }

    spec governance_of(r: Object<Registry>): Object<Governance> {
        include Exists;
        ensures result == global<Registry>(at(r)).governance;
    }

    spec subject_of(who: address): vector<u8> {
        aborts_if false;
        ensures result == hash::sha3_256(bcs::to_bytes(who));
    }

    spec attestation(
        r: Object<Registry>, subject: vector<u8>
    ): (bool, vector<u8>, address, u8, u64) {
        include Exists;
        ensures !is_kept_attested(r, subject) ==>
            !result_1 && len(result_2) == 0 && result_3 == @0x0 && result_4 == 0 && result_5 == 0;
        ensures is_kept_attested(r, subject) ==>
            result_2 == attestation_kept(r, subject).hash
                && result_3 == attestation_kept(r, subject).issuer
                && result_4 == attestation_kept(r, subject).level
                && result_5 == attestation_kept(r, subject).expires_at;
        ensures result_1 == (result_4 > 0);
    }

    spec is_attested(r: Object<Registry>, subject: vector<u8>, level: u8): bool {
        include Exists;
        aborts_if is_kept_attested(r, subject)
            && attestation_kept(r, subject).level > 0
            && attestation_kept(r, subject).level >= level
            && !exists<timestamp::CurrentTimeMicroseconds>(@aptos_framework);
        ensures result ==>
            is_kept_attested(r, subject)
                && attestation_kept(r, subject).level >= level
                && seconds_now() < attestation_kept(r, subject).expires_at;
    }

    spec is_barred(r: Object<Registry>, subject: vector<u8>): bool {
        include Exists;
        ensures result == (is_kept_barred(r, subject) && bar_kept(r, subject).reason > 0);
    }

    spec reason_of(r: Object<Registry>, subject: vector<u8>): u8 {
        include Exists;
        ensures result == if (is_kept_barred(r, subject)) bar_kept(r, subject).reason else 0;
    }

    spec bar_of(r: Object<Registry>, subject: vector<u8>): (u8, u64) {
        include Exists;
        ensures result_1 == if (is_kept_barred(r, subject)) bar_kept(r, subject).reason else 0;
        ensures result_2
            == if (is_kept_barred(r, subject)) bar_kept(r, subject).list_version else 0;
    }

    spec list_version(r: Object<Registry>): u64 {
        include Exists;
        ensures result == global<Registry>(at(r)).list_version;
    }

    spec report_of(r: Object<Registry>, period: u64): (bool, vector<u8>, u64) {
        include Exists;
        ensures !is_reported(r, period) ==> !result_1 && len(result_2) == 0 && result_3 == 0;
        ensures is_reported(r, period) ==>
            result_2 == report_kept(r, period).root && result_3 == report_kept(r, period).count;
        ensures result_1 == (len(result_2) > 0);
    }

    // Public functions

    /// Aborts when there is an object of this creator and seed; the address is the object module's
    /// to tell.
    spec create_registry(
        creator: &signer, g: Object<Governance>, seed: vector<u8>
    ): Object<Registry> {
        pragma aborts_if_is_partial;
        ensures exists<Registry>(at(result));
        ensures global<Registry>(at(result)).governance == g;
        ensures global<Registry>(at(result)).list_version == 0;
    }

    spec create(creator: &signer, g: Object<Governance>, seed: vector<u8>) {
        pragma aborts_if_is_partial;
    }

    spec assert_clear(r: Object<Registry>, who: address) {
        let subject = hash::sha3_256(bcs::to_bytes(who));
        include Exists;
        aborts_if is_kept_barred(r, subject) && bar_kept(r, subject).reason > 0;
    }

    // Entry functions

    /// [high-level-req-5]
    spec attest(
        officer: &signer,
        r: Object<Registry>,
        subject: vector<u8>,
        attestation_hash: vector<u8>,
        issuer: address,
        level: u8,
        expires_at: u64
    ) {
        include OfficerOnly;
        include NotPaused;
        aborts_if !is_hash(subject) || !is_hash(attestation_hash);
        aborts_if issuer == @0x0;
        aborts_if level == 0;
        include ExpiryInRange;
        include KeepsHouse;
        include KeepsList;
        include KeepsReports;
        ensures is_kept_attested(r, subject);
        ensures attestation_kept(r, subject)
            == Attestation { hash: attestation_hash, issuer, level, expires_at };
        ensures forall other: vector<u8> where other != subject:
            is_kept_attested(r, other) == old(is_kept_attested(r, other));
    }

    spec revoke_attestation(officer: &signer, r: Object<Registry>, subject: vector<u8>) {
        include OfficerOnly;
        aborts_if !is_hash(subject);
        include KeepsHouse;
        include KeepsList;
        include KeepsReports;
        ensures !is_kept_attested(r, subject);
        ensures forall other: vector<u8> where other != subject:
            is_kept_attested(r, other) == old(is_kept_attested(r, other));
    }

    /// What one subject aborts for stands in `bar_one`; the loop over the call's own list is
    /// bounded.
    spec bar(
        officer: &signer,
        r: Object<Registry>,
        list_version: u64,
        subjects: vector<vector<u8>>,
        reasons: vector<u8>
    ) {
        pragma aborts_if_is_partial;
        include OfficerOnly;
        include MovesList { after: list_version };
        aborts_if len(subjects) > SUBJECTS_MAX;
        aborts_if len(subjects) != len(reasons);
        include KeepsHouse;
        include KeepsAttestations;
        include KeepsReports;
    }

    /// What one subject aborts for stands in `unbar_one`; the loop over the call's own list is
    /// bounded.
    spec unbar(
        officer: &signer,
        r: Object<Registry>,
        list_version: u64,
        subjects: vector<vector<u8>>
    ) {
        pragma aborts_if_is_partial;
        include OfficerOnly;
        include NotPaused;
        include MovesList { after: list_version };
        aborts_if len(subjects) > SUBJECTS_MAX;
        include KeepsHouse;
        include KeepsAttestations;
        include KeepsReports;
    }

    /// [high-level-req-3]
    spec report(
        officer: &signer,
        r: Object<Registry>,
        period: u64,
        root: vector<u8>,
        count: u64
    ) {
        include OfficerOnly;
        aborts_if !is_hash(root);
        aborts_if is_reported(r, period);
        include KeepsHouse;
        include KeepsList;
        include KeepsAttestations;
        ensures is_reported(r, period);
        ensures report_kept(r, period) == Report { root, count };
        ensures forall other: u64 where other != period:
            is_reported(r, other) == old(is_reported(r, other));
    }

    // Internal

    spec schema ExpiryInRange {
        expires_at: u64;
        let now = seconds_now();
        aborts_if !exists<timestamp::CurrentTimeMicroseconds>(@aptos_framework);
        aborts_if expires_at <= now || expires_at - now > ATTESTATION_SECONDS_MAX;
    }

    spec attestation_of(r: Object<Registry>, subject: vector<u8>): Attestation {
        include Exists;
        ensures result
            == if (is_kept_attested(r, subject)) attestation_kept(r, subject)
            else Attestation { hash: vector[], issuer: @0x0, level: 0, expires_at: 0 };
    }

    spec assert_officer(officer: &signer, r: Object<Registry>) {
        include OfficerOnly;
    }

    spec assert_hash(hash: &vector<u8>) {
        aborts_if !is_hash(hash);
    }

    spec assert_few(subjects: &vector<vector<u8>>) {
        aborts_if len(subjects) > SUBJECTS_MAX;
    }

    spec assert_expiry(expires_at: u64) {
        include ExpiryInRange;
    }

    spec move_list(r: Object<Registry>, after: u64) {
        include Exists;
        include MovesList;
        include KeepsHouse;
        include KeepsAttestations;
        include KeepsReports;
        ensures global<Registry>(at(r)).bars == old(global<Registry>(at(r)).bars);
    }

    /// [high-level-req-5]
    spec bar_one(
        r: Object<Registry>,
        list_version: u64,
        subject: vector<u8>,
        reason: u8
    ) {
        include Exists;
        aborts_if !is_hash(subject);
        aborts_if reason == 0;
        include KeepsHouse;
        include KeepsAttestations;
        include KeepsReports;
        ensures is_kept_barred(r, subject);
        ensures bar_kept(r, subject).reason == reason;
        ensures forall other: vector<u8> where other != subject:
            is_kept_barred(r, other) == old(is_kept_barred(r, other));
    }

    spec unbar_one(r: Object<Registry>, list_version: u64, subject: vector<u8>) {
        include Exists;
        aborts_if !is_hash(subject);
        include KeepsHouse;
        include KeepsAttestations;
        include KeepsReports;
        ensures !is_kept_barred(r, subject);
        ensures forall other: vector<u8> where other != subject:
            is_kept_barred(r, other) == old(is_kept_barred(r, other));
    }
}

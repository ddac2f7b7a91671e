/// What supervisors and partners may check without learning who anybody is: attestations, bars and
/// reports.
///
/// It knows subjects and documents by 32-byte hashes alone. Nothing of a person is ever written
/// here, and a hash of what can be guessed (a phone number, an identity number) is no hash: see the
/// README.
module capp_compliance::compliance {
    use std::bcs;
    use std::error;
    use std::hash;
    use std::signer;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::object::{Self, ExtendRef, Object};
    use aptos_framework::timestamp;
    use capp_governance::governance::{Self, Governance};

    // Errors

    /// The account's subject is barred: neither money nor a promise of money moves for it.
    const E_BARRED: u64 = 1;
    /// Subjects, attestation hashes and report roots have 32 bytes.
    const E_HASH_LENGTH: u64 = 2;
    /// An attestation names its issuer, and 0x0 is nobody.
    const E_NO_ISSUER: u64 = 3;
    /// Level 0 would attest nothing.
    const E_NO_LEVEL: u64 = 4;
    /// An attestation ends later than now and no later than the longest one lasts.
    const E_EXPIRY: u64 = 5;
    /// Versions of the list start at 1 and never go back.
    const E_LIST_VERSION: u64 = 6;
    /// Every subject has its reason, in the same order.
    const E_REASON_COUNT: u64 = 7;
    /// Reason 0 stands for who is not barred.
    const E_NO_REASON: u64 = 8;
    /// One call takes at most 500 subjects.
    const E_TOO_MANY: u64 = 9;
    /// The period has been reported; a report is never changed.
    const E_REPORT_EXISTS: u64 = 10;

    // Constants

    /// Every hash here is of SHA3-256.
    const HASH_BYTES: u64 = 32;
    /// Five years of 365 days.
    const ATTESTATION_SECONDS_MAX: u64 = 157_680_000;
    /// What fits well into one transaction, by its size and by its gas.
    const SUBJECTS_MAX: u64 = 500;

    // Structs

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    /// The book of one installation, kept by its compliance officers.
    struct Registry has key {
        governance: Object<Governance>,
        /// Which edition of the sanctions list the bars follow; 0 before the first.
        list_version: u64,
        /// By subject.
        attestations: Table<vector<u8>, Attestation>,
        /// By subject; who is not in it is not barred.
        bars: Table<vector<u8>, Bar>,
        /// By period, which is a number of the supervisor's own, 202611 for a month as an example.
        reports: Table<u64, Report>,
        /// For resources of later versions at the same address.
        extend_ref: ExtendRef
    }

    /// That somebody was checked: by whom, how thoroughly, until when, and the hash of the
    /// document.
    struct Attestation has copy, drop, store {
        hash: vector<u8>,
        issuer: address,
        level: u8,
        expires_at: u64
    }

    /// Why nothing may be done for a subject, and since which edition of the list.
    struct Bar has copy, drop, store {
        reason: u8,
        list_version: u64
    }

    /// The Merkle root over the lines of one period's report, and how many they are.
    struct Report has copy, drop, store {
        root: vector<u8>,
        count: u64
    }

    // Events

    #[event]
    /// A registry was made.
    struct Created has drop, store {
        registry: address,
        governance: address,
        creator: address,
        seed: vector<u8>
    }

    #[event]
    /// A subject has an attestation. Level 0 before: it had none.
    struct Attested has drop, store {
        registry: address,
        subject: vector<u8>,
        hash: vector<u8>,
        issuer: address,
        level_before: u8,
        level: u8,
        expires_at_before: u64,
        expires_at: u64
    }

    #[event]
    /// A subject has its attestation no longer.
    struct AttestationRevoked has drop, store {
        registry: address,
        subject: vector<u8>,
        hash: vector<u8>,
        issuer: address,
        level: u8,
        expires_at: u64
    }

    #[event]
    /// The bars follow another edition of the list.
    struct ListVersionSet has drop, store {
        registry: address,
        before: u64,
        after: u64
    }

    #[event]
    /// A subject is barred. Reason 0 before: it was not.
    struct Barred has drop, store {
        registry: address,
        subject: vector<u8>,
        reason_before: u8,
        reason: u8,
        list_version: u64
    }

    #[event]
    /// A subject is barred no longer.
    struct Unbarred has drop, store {
        registry: address,
        subject: vector<u8>,
        reason_before: u8,
        list_version: u64
    }

    #[event]
    /// A period was reported.
    struct Reported has drop, store {
        registry: address,
        period: u64,
        root: vector<u8>,
        count: u64
    }

    // Views

    #[view]
    /// Where the registry of this creator and seed is, whether it is made yet or not.
    public fun address_of(creator: address, seed: vector<u8>): address {
        object::create_object_address(&creator, seed)
    }

    #[view]
    /// Whose roles and whose pause count here.
    public fun governance_of(r: Object<Registry>): Object<Governance> acquires Registry {
        read(r).governance
    }

    #[view]
    /// An account as a subject: SHA3-256 of its 32 bytes.
    public fun subject_of(who: address): vector<u8> {
        hash::sha3_256(bcs::to_bytes(&who))
    }

    #[view]
    /// Whether there is one, its hash, issuer, level and end (seconds), also when it is over.
    /// Without one: false, an empty hash, 0x0 and zeros.
    public fun attestation(
        r: Object<Registry>, subject: vector<u8>
    ): (bool, vector<u8>, address, u8, u64) acquires Registry {
        let Attestation { hash, issuer, level, expires_at } = attestation_of(r, subject);
        (level > 0, hash, issuer, level, expires_at)
    }

    #[view]
    /// Whether the subject is attested at this moment, and no less thoroughly than asked. Says
    /// nothing about bars.
    public fun is_attested(
        r: Object<Registry>, subject: vector<u8>, level: u8
    ): bool acquires Registry {
        let attestation = attestation_of(r, subject);
        attestation.level > 0
            && attestation.level >= level
            && timestamp::now_seconds() < attestation.expires_at
    }

    #[view]
    /// Whether nothing may be done for the subject.
    public fun is_barred(r: Object<Registry>, subject: vector<u8>): bool acquires Registry {
        reason_of(r, subject) > 0
    }

    #[view]
    /// Why the subject is barred; 0 when it is not.
    public fun reason_of(r: Object<Registry>, subject: vector<u8>): u8 acquires Registry {
        let (reason, _) = bar_of(r, subject);
        reason
    }

    #[view]
    /// Why the subject is barred, and by which edition of the list; zeros when it is not.
    public fun bar_of(r: Object<Registry>, subject: vector<u8>): (u8, u64) acquires Registry {
        let none = Bar { reason: 0, list_version: 0 };
        let Bar { reason, list_version } =
            *table::borrow_with_default(&read(r).bars, subject, &none);
        (reason, list_version)
    }

    #[view]
    /// Which edition of the sanctions list the bars follow; 0 before the first.
    public fun list_version(r: Object<Registry>): u64 acquires Registry {
        read(r).list_version
    }

    #[view]
    /// Whether the period was reported, the root and the count; else false, an empty root and 0.
    public fun report_of(
        r: Object<Registry>, period: u64
    ): (bool, vector<u8>, u64) acquires Registry {
        let none = Report { root: vector[], count: 0 };
        let Report { root, count } =
            *table::borrow_with_default(&read(r).reports, period, &none);
        (root.length() > 0, root, count)
    }

    // Public functions

    /// Makes a registry under an installation: no attestation, bar or report, list version 0.
    /// Anybody may; what is made by somebody is trusted by those who name it. Aborts with the
    /// object module's EOBJECT_EXISTS (0x80001) on the same creator and seed again.
    public fun create_registry(
        creator: &signer, g: Object<Governance>, seed: vector<u8>
    ): Object<Registry> {
        let constructor = object::create_named_object(creator, seed);
        object::disable_ungated_transfer(&object::generate_transfer_ref(&constructor));
        move_to(
            &object::generate_signer(&constructor),
            Registry {
                governance: g,
                list_version: 0,
                attestations: table::new(),
                bars: table::new(),
                reports: table::new(),
                extend_ref: object::generate_extend_ref(&constructor)
            }
        );
        event::emit(
            Created {
                registry: object::address_from_constructor_ref(&constructor),
                governance: object::object_address(&g),
                creator: signer::address_of(creator),
                seed
            }
        );
        object::object_from_constructor_ref<Registry>(&constructor)
    }

    /// Aborts E_BARRED when this account is barred. Works while paused.
    public fun assert_clear(r: Object<Registry>, who: address) acquires Registry {
        assert!(!is_barred(r, subject_of(who)), error::permission_denied(E_BARRED));
    }

    // Entry functions. A pause stops what opens a door (`attest`, `unbar`), never what closes one
    // or tells.

    /// As `create_registry`.
    public entry fun create(creator: &signer, g: Object<Governance>, seed: vector<u8>) {
        create_registry(creator, g, seed);
    }

    /// An officer puts down an attestation in place of any earlier one of the subject; `expires_at`
    /// in seconds of the chain's clock. A repeat does nothing. Aborts governance's E_PAUSED and
    /// E_NOT_IN_ROLE, E_HASH_LENGTH, E_NO_ISSUER, E_NO_LEVEL, E_EXPIRY.
    public entry fun attest(
        officer: &signer,
        r: Object<Registry>,
        subject: vector<u8>,
        attestation_hash: vector<u8>,
        issuer: address,
        level: u8,
        expires_at: u64
    ) acquires Registry {
        governance::assert_not_paused(governance_of(r));
        assert_officer(officer, r);
        assert_hash(&subject);
        assert_hash(&attestation_hash);
        assert!(issuer != @0x0, error::invalid_argument(E_NO_ISSUER));
        assert!(level > 0, error::invalid_argument(E_NO_LEVEL));
        assert_expiry(expires_at);
        let before = attestation_of(r, subject);
        let after = Attestation { hash: attestation_hash, issuer, level, expires_at };
        if (before == after) return;
        table::upsert(&mut write(r).attestations, subject, after);
        event::emit(
            Attested {
                registry: object::object_address(&r),
                subject,
                hash: attestation_hash,
                issuer,
                level_before: before.level,
                level,
                expires_at_before: before.expires_at,
                expires_at
            }
        );
    }

    /// An officer takes the subject's attestation back. A repeat does nothing. Works while paused.
    /// Aborts governance's E_NOT_IN_ROLE, E_HASH_LENGTH.
    public entry fun revoke_attestation(
        officer: &signer, r: Object<Registry>, subject: vector<u8>
    ) acquires Registry {
        assert_officer(officer, r);
        assert_hash(&subject);
        let attestations = &mut write(r).attestations;
        if (!table::contains(attestations, subject)) return;
        let Attestation { hash, issuer, level, expires_at } = table::remove(attestations, subject);
        event::emit(
            AttestationRevoked {
                registry: object::object_address(&r),
                subject,
                hash,
                issuer,
                level,
                expires_at
            }
        );
    }

    /// An officer bars subjects, each for its reason, by an edition of the list; an edition may
    /// take several calls. Without subjects only the edition moves. Works while paused. A repeat
    /// does nothing. Aborts governance's E_NOT_IN_ROLE, E_LIST_VERSION, E_TOO_MANY, E_REASON_COUNT,
    /// E_NO_REASON, E_HASH_LENGTH.
    public entry fun bar(
        officer: &signer,
        r: Object<Registry>,
        list_version: u64,
        subjects: vector<vector<u8>>,
        reasons: vector<u8>
    ) acquires Registry {
        assert_officer(officer, r);
        assert_few(&subjects);
        assert!(subjects.length() == reasons.length(), error::invalid_argument(E_REASON_COUNT));
        move_list(r, list_version);
        let i = 0;
        while (i < subjects.length()) {
            bar_one(r, list_version, subjects[i], reasons[i]);
            i += 1;
        };
    }

    /// An officer frees subjects that an edition of the list does not have. A repeat does nothing.
    /// Aborts governance's E_PAUSED and E_NOT_IN_ROLE, E_LIST_VERSION, E_TOO_MANY, E_HASH_LENGTH.
    public entry fun unbar(
        officer: &signer,
        r: Object<Registry>,
        list_version: u64,
        subjects: vector<vector<u8>>
    ) acquires Registry {
        governance::assert_not_paused(governance_of(r));
        assert_officer(officer, r);
        assert_few(&subjects);
        move_list(r, list_version);
        let i = 0;
        while (i < subjects.length()) {
            unbar_one(r, list_version, subjects[i]);
            i += 1;
        };
    }

    /// An officer puts down the root of a period's report and the count of its lines, once and for
    /// all. Works while paused. Aborts governance's E_NOT_IN_ROLE, E_HASH_LENGTH, and
    /// E_REPORT_EXISTS when the period has one, as at a repeat: read `report_of`.
    public entry fun report(
        officer: &signer,
        r: Object<Registry>,
        period: u64,
        root: vector<u8>,
        count: u64
    ) acquires Registry {
        assert_officer(officer, r);
        assert_hash(&root);
        let reports = &mut write(r).reports;
        assert!(!table::contains(reports, period), error::already_exists(E_REPORT_EXISTS));
        table::add(reports, period, Report { root, count });
        event::emit(Reported { registry: object::object_address(&r), period, root, count });
    }

    // Internal

    inline fun read(r: Object<Registry>): &Registry {
        &Registry[object::object_address(&r)]
    }

    inline fun write(r: Object<Registry>): &mut Registry {
        &mut Registry[object::object_address(&r)]
    }

    /// The attestation of a subject; without one, that of level 0 by nobody.
    fun attestation_of(r: Object<Registry>, subject: vector<u8>): Attestation acquires Registry {
        let none = Attestation { hash: vector[], issuer: @0x0, level: 0, expires_at: 0 };
        *table::borrow_with_default(&read(r).attestations, subject, &none)
    }

    fun assert_officer(officer: &signer, r: Object<Registry>) acquires Registry {
        governance::assert_role(
            governance_of(r),
            signer::address_of(officer),
            governance::role_compliance_officer()
        );
    }

    fun assert_hash(hash: &vector<u8>) {
        assert!(hash.length() == HASH_BYTES, error::invalid_argument(E_HASH_LENGTH));
    }

    fun assert_few(subjects: &vector<vector<u8>>) {
        assert!(subjects.length() <= SUBJECTS_MAX, error::invalid_argument(E_TOO_MANY));
    }

    fun assert_expiry(expires_at: u64) {
        let now = timestamp::now_seconds();
        assert!(
            now < expires_at && expires_at - now <= ATTESTATION_SECONDS_MAX,
            error::out_of_range(E_EXPIRY)
        );
    }

    fun move_list(r: Object<Registry>, after: u64) acquires Registry {
        let registry = write(r);
        let before = registry.list_version;
        assert!(after > 0 && after >= before, error::invalid_argument(E_LIST_VERSION));
        if (after == before) return;
        registry.list_version = after;
        event::emit(ListVersionSet { registry: object::object_address(&r), before, after });
    }

    fun bar_one(
        r: Object<Registry>,
        list_version: u64,
        subject: vector<u8>,
        reason: u8
    ) acquires Registry {
        assert_hash(&subject);
        assert!(reason > 0, error::invalid_argument(E_NO_REASON));
        let reason_before = reason_of(r, subject);
        if (reason == reason_before) return;
        table::upsert(&mut write(r).bars, subject, Bar { reason, list_version });
        event::emit(
            Barred {
                registry: object::object_address(&r),
                subject,
                reason_before,
                reason,
                list_version
            }
        );
    }

    fun unbar_one(r: Object<Registry>, list_version: u64, subject: vector<u8>) acquires Registry {
        assert_hash(&subject);
        let bars = &mut write(r).bars;
        if (!table::contains(bars, subject)) return;
        let Bar { reason: reason_before, list_version: _ } = table::remove(bars, subject);
        event::emit(
            Unbarred {
                registry: object::object_address(&r),
                subject,
                reason_before,
                list_version
            }
        );
    }

    // Test only: the events, for tests elsewhere to look for

    #[test_only]
    public fun created(
        registry: address, governance: address, creator: address, seed: vector<u8>
    ): Created {
        Created { registry, governance, creator, seed }
    }

    #[test_only]
    public fun attested(
        registry: address,
        subject: vector<u8>,
        hash: vector<u8>,
        issuer: address,
        level_before: u8,
        level: u8,
        expires_at_before: u64,
        expires_at: u64
    ): Attested {
        Attested {
            registry,
            subject,
            hash,
            issuer,
            level_before,
            level,
            expires_at_before,
            expires_at
        }
    }

    #[test_only]
    public fun attestation_revoked(
        registry: address,
        subject: vector<u8>,
        hash: vector<u8>,
        issuer: address,
        level: u8,
        expires_at: u64
    ): AttestationRevoked {
        AttestationRevoked { registry, subject, hash, issuer, level, expires_at }
    }

    #[test_only]
    public fun list_version_set(registry: address, before: u64, after: u64): ListVersionSet {
        ListVersionSet { registry, before, after }
    }

    #[test_only]
    public fun barred(
        registry: address,
        subject: vector<u8>,
        reason_before: u8,
        reason: u8,
        list_version: u64
    ): Barred {
        Barred { registry, subject, reason_before, reason, list_version }
    }

    #[test_only]
    public fun unbarred(
        registry: address, subject: vector<u8>, reason_before: u8, list_version: u64
    ): Unbarred {
        Unbarred { registry, subject, reason_before, list_version }
    }

    #[test_only]
    public fun reported(registry: address, period: u64, root: vector<u8>, count: u64): Reported {
        Reported { registry, period, root, count }
    }
}

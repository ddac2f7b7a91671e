/// Who may do what in one installation: its owner, the roles it has granted, the pause and the
/// bounds.
///
/// It knows nothing of pools, corridors or people; the other packages ask it and abort by its word.
/// Any number of installations live side by side: each is an object, named by who made it and a
/// seed.
module capp_governance::governance {
    use std::error;
    use std::option::{Self, Option};
    use std::signer;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::object::{Self, ExtendRef, Object};

    // Errors

    /// The installation is paused: nothing that moves or promises money is done until its owner
    /// unpauses it.
    const E_PAUSED: u64 = 1;
    /// The account does not have the role that this needs.
    const E_NOT_IN_ROLE: u64 = 2;
    /// The account is not the owner of the installation.
    const E_NOT_OWNER: u64 = 3;
    /// There is no role of that number.
    const E_UNKNOWN_ROLE: u64 = 4;
    /// There is no bound of that number.
    const E_UNKNOWN_BOUND: u64 = 5;
    /// The value is below the least or above the most that this bound may be.
    const E_OUT_OF_RANGE: u64 = 6;
    /// The address 0x0 can sign nothing, so it is given nothing.
    const E_ZERO_ADDRESS: u64 = 7;
    /// Ownership is not offered to anybody.
    const E_NO_OFFER: u64 = 8;
    /// Ownership is offered, but to somebody else.
    const E_OFFERED_TO_ANOTHER: u64 = 9;
    /// The account that ownership is offered to has it already.
    const E_OFFERED_TO_OWNER: u64 = 10;

    // Constants

    /// May pause, and only that: starting again is for the owner.
    const PAUSER: u8 = 1;
    /// May hand in batches that operators have approved.
    const SUBMITTER: u8 = 2;
    /// May attest, bar and report.
    const COMPLIANCE_OFFICER: u8 = 3;
    /// May make pools outside a corridor.
    const LIQUIDITY_MANAGER: u8 = 4;
    /// May rule in a dispute.
    const ARBITER: u8 = 5;
    /// May make corridors.
    const CORRIDOR_MANAGER: u8 = 6;

    /// The most that one batch may move in sum, in the asset's smallest units.
    const BATCH_AMOUNT_MAX: u8 = 1;
    /// How many seconds ahead of the chain's clock an approval may expire.
    const APPROVAL_SECONDS_MAX: u8 = 2;
    /// For how many seconds after its settlement a payment may be disputed.
    const DISPUTE_SECONDS: u8 = 3;
    /// How many seconds a member has to answer a dispute before the arbiter may rule without it.
    const ANSWER_SECONDS: u8 = 4;
    /// The most that one dispute may be about, in the asset's smallest units: so much of another's pool
    /// is set aside for it.
    const DISPUTE_AMOUNT_MAX: u8 = 5;

    // Structs

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    /// One installation. Rights come from here alone: the object itself cannot be handed on, and
    /// whom the object framework calls its owner has no say.
    struct Governance has key {
        owner: address,
        pending_owner: Option<address>,
        paused: bool,
        /// What is granted has an entry; a revoked one leaves nothing behind.
        roles: Table<Grant, bool>,
        /// Only what was set: everything else has its default.
        bounds: Table<u8, u64>,
        /// For resources of later versions at the same address.
        extend_ref: ExtendRef
    }

    /// One role of one account.
    struct Grant has copy, drop, store {
        who: address,
        role: u8
    }

    // Events

    #[event]
    /// An installation was made.
    struct Created has drop, store {
        governance: address,
        owner: address,
        seed: vector<u8>
    }

    #[event]
    /// An account has a role that it had not.
    struct RoleGranted has drop, store {
        governance: address,
        who: address,
        role: u8
    }

    #[event]
    /// An account has a role no longer.
    struct RoleRevoked has drop, store {
        governance: address,
        who: address,
        role: u8
    }

    #[event]
    /// The owner offers ownership. An offer made before is worth nothing from here on.
    struct OwnershipOffered has drop, store {
        governance: address,
        owner: address,
        to: address
    }

    #[event]
    /// The owner has taken its offer back.
    struct OwnershipOfferWithdrawn has drop, store {
        governance: address,
        owner: address,
        to: address
    }

    #[event]
    /// Somebody has accepted and is the owner now.
    struct OwnershipTransferred has drop, store {
        governance: address,
        before: address,
        after: address
    }

    #[event]
    /// The installation was paused.
    struct Paused has drop, store {
        governance: address,
        by: address
    }

    #[event]
    /// The installation goes on.
    struct Unpaused has drop, store {
        governance: address,
        by: address
    }

    #[event]
    /// A bound has another value.
    struct BoundSet has drop, store {
        governance: address,
        bound: u8,
        before: u64,
        after: u64
    }

    // Views

    #[view]
    /// Where the installation of this creator and seed is, whether it is made yet or not.
    public fun address_of(creator: address, seed: vector<u8>): address {
        object::create_object_address(&creator, seed)
    }

    #[view]
    /// Who decides about roles, bounds, and the end of a pause.
    public fun owner(g: Object<Governance>): address acquires Governance {
        read(g).owner
    }

    #[view]
    /// Whom ownership is offered to, if anybody.
    public fun pending_owner(g: Object<Governance>): Option<address> acquires Governance {
        read(g).pending_owner
    }

    #[view]
    /// Whether the installation is paused.
    public fun is_paused(g: Object<Governance>): bool acquires Governance {
        read(g).paused
    }

    #[view]
    /// Whether the role was granted to this account. The owner has only what it granted itself;
    /// nobody has a role that there is not.
    public fun has_role(g: Object<Governance>, who: address, role: u8): bool acquires Governance {
        table::contains(&read(g).roles, Grant { who, role })
    }

    #[view]
    /// The value of a bound: what was set, else its default. Aborts E_UNKNOWN_BOUND.
    public fun bound(g: Object<Governance>, which: u8): u64 acquires Governance {
        let (_, usual, _) = range_of(which);
        *table::borrow_with_default(&read(g).bounds, which, &usual)
    }

    #[view]
    /// The least, the default and the most of a bound. Aborts E_UNKNOWN_BOUND.
    public fun range_of(which: u8): (u64, u64, u64) {
        if (which == BATCH_AMOUNT_MAX) (1, 1_000_000_000_000_000, 1_000_000_000_000_000_000)
        else if (which == APPROVAL_SECONDS_MAX) (60, 86_400, 604_800)
        else if (which == DISPUTE_SECONDS) (0, 259_200, 2_592_000)
        else if (which == ANSWER_SECONDS) (60, 86_400, 604_800)
        else if (which == DISPUTE_AMOUNT_MAX) (1, 1_000_000_000_000, 1_000_000_000_000_000)
        else abort error::invalid_argument(E_UNKNOWN_BOUND)
    }

    // Numbers of roles and bounds, by name, for the packages above

    /// The number of the role that may pause.
    public fun role_pauser(): u8 { PAUSER }

    /// The number of the role that may hand in batches.
    public fun role_submitter(): u8 { SUBMITTER }

    /// The number of the role that may attest, bar and report.
    public fun role_compliance_officer(): u8 { COMPLIANCE_OFFICER }

    /// The number of the role that may make pools outside a corridor.
    public fun role_liquidity_manager(): u8 { LIQUIDITY_MANAGER }

    /// The number of the role that may rule in a dispute.
    public fun role_arbiter(): u8 { ARBITER }

    /// The number of the role that may make corridors.
    public fun role_corridor_manager(): u8 { CORRIDOR_MANAGER }

    /// The number of the bound on what one batch may move.
    public fun bound_batch_amount_max(): u8 { BATCH_AMOUNT_MAX }

    /// The number of the bound on how far ahead an approval may expire.
    public fun bound_approval_seconds_max(): u8 { APPROVAL_SECONDS_MAX }

    /// The number of the bound on how long a payment may be disputed.
    public fun bound_dispute_seconds(): u8 { DISPUTE_SECONDS }

    /// The number of the bound on how long an answer may take.
    public fun bound_answer_seconds(): u8 { ANSWER_SECONDS }

    /// The number of the bound on what one dispute may be about.
    public fun bound_dispute_amount_max(): u8 { DISPUTE_AMOUNT_MAX }

    // Public functions

    /// Makes an installation owned by its creator: no role granted, not paused, every bound at its
    /// default. Anybody may. Aborts with the object module's EOBJECT_EXISTS (0x80001) on the same
    /// creator and seed again.
    public fun create_governance(creator: &signer, seed: vector<u8>): Object<Governance> {
        let constructor = object::create_named_object(creator, seed);
        object::disable_ungated_transfer(&object::generate_transfer_ref(&constructor));
        let owner = signer::address_of(creator);
        move_to(
            &object::generate_signer(&constructor),
            Governance {
                owner,
                pending_owner: option::none(),
                paused: false,
                roles: table::new(),
                bounds: table::new(),
                extend_ref: object::generate_extend_ref(&constructor)
            }
        );
        event::emit(
            Created {
                governance: object::address_from_constructor_ref(&constructor),
                owner,
                seed
            }
        );
        object::object_from_constructor_ref<Governance>(&constructor)
    }

    /// Aborts E_PAUSED while the installation is paused.
    public fun assert_not_paused(g: Object<Governance>) acquires Governance {
        assert!(!is_paused(g), error::invalid_state(E_PAUSED));
    }

    /// Aborts E_NOT_IN_ROLE unless the role was granted to this account. Whoever calls must have
    /// made sure that the account signs.
    public fun assert_role(g: Object<Governance>, who: address, role: u8) acquires Governance {
        assert!(has_role(g, who, role), error::permission_denied(E_NOT_IN_ROLE));
    }

    /// Aborts E_NOT_OWNER unless this account owns the installation. Whoever calls must have made
    /// sure that the account signs.
    public fun assert_owner(g: Object<Governance>, who: address) acquires Governance {
        assert!(owner(g) == who, error::permission_denied(E_NOT_OWNER));
    }

    // Entry functions. None is stopped by a pause: whoever ends an incident needs all of them.

    /// As `create_governance`.
    public entry fun create(creator: &signer, seed: vector<u8>) {
        create_governance(creator, seed);
    }

    /// The owner gives an account a role. A repeat does nothing.
    /// Aborts E_NOT_OWNER, E_UNKNOWN_ROLE, E_ZERO_ADDRESS.
    public entry fun grant(
        owner: &signer,
        g: Object<Governance>,
        who: address,
        role: u8
    ) acquires Governance {
        assert_owner(g, signer::address_of(owner));
        assert_known(role);
        assert!(who != @0x0, error::invalid_argument(E_ZERO_ADDRESS));
        if (has_role(g, who, role)) return;
        table::add(&mut write(g).roles, Grant { who, role }, true);
        event::emit(RoleGranted { governance: object::object_address(&g), who, role });
    }

    /// The owner takes a role from an account. A repeat does nothing.
    /// Aborts E_NOT_OWNER, E_UNKNOWN_ROLE.
    public entry fun revoke(
        owner: &signer,
        g: Object<Governance>,
        who: address,
        role: u8
    ) acquires Governance {
        assert_owner(g, signer::address_of(owner));
        assert_known(role);
        if (!has_role(g, who, role)) return;
        table::remove(&mut write(g).roles, Grant { who, role });
        event::emit(RoleRevoked { governance: object::object_address(&g), who, role });
    }

    /// The owner offers ownership to an account, in place of any earlier offer; nothing changes
    /// hands until that account accepts. Aborts E_NOT_OWNER, E_ZERO_ADDRESS, E_OFFERED_TO_OWNER.
    public entry fun offer_ownership(
        owner: &signer,
        g: Object<Governance>,
        to: address
    ) acquires Governance {
        let owner = signer::address_of(owner);
        assert_owner(g, owner);
        assert!(to != @0x0, error::invalid_argument(E_ZERO_ADDRESS));
        assert!(to != owner, error::invalid_argument(E_OFFERED_TO_OWNER));
        write(g).pending_owner = option::some(to);
        event::emit(OwnershipOffered { governance: object::object_address(&g), owner, to });
    }

    /// The owner takes its offer back. Aborts E_NOT_OWNER, and E_NO_OFFER when there is none, as at
    /// a repeat or after it was accepted.
    public entry fun withdraw_offer(owner: &signer, g: Object<Governance>) acquires Governance {
        let owner = signer::address_of(owner);
        assert_owner(g, owner);
        let to = take_offer(g);
        event::emit(
            OwnershipOfferWithdrawn { governance: object::object_address(&g), owner, to }
        );
    }

    /// The account that ownership is offered to becomes the owner. Roles stay as they were, those
    /// of the former owner too. Aborts E_NO_OFFER (at a repeat too), E_OFFERED_TO_ANOTHER.
    public entry fun accept_ownership(to: &signer, g: Object<Governance>) acquires Governance {
        let after = signer::address_of(to);
        assert!(take_offer(g) == after, error::permission_denied(E_OFFERED_TO_ANOTHER));
        let governance = write(g);
        let before = governance.owner;
        governance.owner = after;
        event::emit(
            OwnershipTransferred { governance: object::object_address(&g), before, after }
        );
    }

    /// A pauser stops the installation. A repeat does nothing. Aborts E_NOT_IN_ROLE.
    public entry fun pause(pauser: &signer, g: Object<Governance>) acquires Governance {
        let by = signer::address_of(pauser);
        assert_role(g, by, PAUSER);
        if (is_paused(g)) return;
        write(g).paused = true;
        event::emit(Paused { governance: object::object_address(&g), by });
    }

    /// The owner, and no pauser, lets the installation go on. A repeat does nothing. Aborts
    /// E_NOT_OWNER.
    public entry fun unpause(owner: &signer, g: Object<Governance>) acquires Governance {
        let by = signer::address_of(owner);
        assert_owner(g, by);
        if (!is_paused(g)) return;
        write(g).paused = false;
        event::emit(Unpaused { governance: object::object_address(&g), by });
    }

    /// The owner sets a bound within its range. A repeat does nothing.
    /// Aborts E_NOT_OWNER, E_UNKNOWN_BOUND, E_OUT_OF_RANGE.
    public entry fun set_bound(
        owner: &signer,
        g: Object<Governance>,
        which: u8,
        value: u64
    ) acquires Governance {
        assert_owner(g, signer::address_of(owner));
        let (least, _, most) = range_of(which);
        assert!(least <= value && value <= most, error::out_of_range(E_OUT_OF_RANGE));
        let before = bound(g, which);
        if (before == value) return;
        table::upsert(&mut write(g).bounds, which, value);
        event::emit(
            BoundSet {
                governance: object::object_address(&g),
                bound: which,
                before,
                after: value
            }
        );
    }

    // Internal

    inline fun read(g: Object<Governance>): &Governance {
        &Governance[object::object_address(&g)]
    }

    inline fun write(g: Object<Governance>): &mut Governance {
        &mut Governance[object::object_address(&g)]
    }

    fun assert_known(role: u8) {
        assert!(
            PAUSER <= role && role <= CORRIDOR_MANAGER,
            error::invalid_argument(E_UNKNOWN_ROLE)
        );
    }

    /// Whom ownership was offered to; the offer is gone. Aborts E_NO_OFFER.
    fun take_offer(g: Object<Governance>): address acquires Governance {
        let pending_owner = &mut write(g).pending_owner;
        assert!(option::is_some(pending_owner), error::not_found(E_NO_OFFER));
        option::extract(pending_owner)
    }

    // Test only: the events, for tests elsewhere to look for

    #[test_only]
    public fun created(governance: address, owner: address, seed: vector<u8>): Created {
        Created { governance, owner, seed }
    }

    #[test_only]
    public fun role_granted(governance: address, who: address, role: u8): RoleGranted {
        RoleGranted { governance, who, role }
    }

    #[test_only]
    public fun role_revoked(governance: address, who: address, role: u8): RoleRevoked {
        RoleRevoked { governance, who, role }
    }

    #[test_only]
    public fun ownership_offered(
        governance: address, owner: address, to: address
    ): OwnershipOffered {
        OwnershipOffered { governance, owner, to }
    }

    #[test_only]
    public fun ownership_offer_withdrawn(
        governance: address, owner: address, to: address
    ): OwnershipOfferWithdrawn {
        OwnershipOfferWithdrawn { governance, owner, to }
    }

    #[test_only]
    public fun ownership_transferred(
        governance: address, before: address, after: address
    ): OwnershipTransferred {
        OwnershipTransferred { governance, before, after }
    }

    #[test_only]
    public fun paused(governance: address, by: address): Paused {
        Paused { governance, by }
    }

    #[test_only]
    public fun unpaused(governance: address, by: address): Unpaused {
        Unpaused { governance, by }
    }

    #[test_only]
    public fun bound_set(governance: address, bound: u8, before: u64, after: u64): BoundSet {
        BoundSet { governance, bound, before, after }
    }
}

/// What governance promises, for the Move prover. The compiler of `make move` reads and type-checks
/// it; to prove it is for the Aptos CLI (`aptos move prove`), which is not part of this repository.
spec capp_governance::governance {
    /// <high-level-req>
    /// No.: 1
    /// Requirement: Only the owner grants and revokes roles, sets bounds, offers ownership and ends
    /// a pause.
    /// Criticality: Critical
    /// Implementation: Each of these begins with assert_owner on the address that signs.
    /// Enforcement: [high-level-req-1](OwnerOnly), included by grant, revoke, set_bound,
    /// offer_ownership, withdraw_offer and unpause.
    ///
    /// No.: 2
    /// Requirement: Ownership goes to nobody who has not accepted it, and to nobody it is not
    /// offered to.
    /// Criticality: Critical
    /// Implementation: accept_ownership takes the pending offer and compares it with the address
    /// that signs.
    /// Enforcement: [high-level-req-2](accept_ownership).
    ///
    /// No.: 3
    /// Requirement: A pauser can stop the installation and can do nothing else; it cannot start it
    /// again.
    /// Criticality: High
    /// Implementation: pause asks for the role, unpause for the owner.
    /// Enforcement: [high-level-req-3](pause) and OwnerOnly in unpause.
    ///
    /// No.: 4
    /// Requirement: No bound is ever outside its range.
    /// Criticality: High
    /// Implementation: set_bound compares with range_of; what was never set is read as its default.
    /// Enforcement: [high-level-req-4](set_bound).
    ///
    /// No.: 5
    /// Requirement: What a function is not about does not change.
    /// Criticality: Medium
    /// Implementation: Each function writes one field.
    /// Enforcement: [high-level-req-5](the schemas KeepsOwner, KeepsPause and KeepsTables).
    /// </high-level-req>
    spec module {
        pragma verify = true;
        pragma aborts_if_is_strict;
    }

    // Words used below

    spec fun at(g: Object<Governance>): address {
        object::object_address(g)
    }

    spec fun grant_of(who: address, role: u8): Grant {
        Grant { who, role }
    }

    spec fun is_granted(g: Object<Governance>, who: address, role: u8): bool {
        table::spec_contains(global<Governance>(at(g)).roles, grant_of(who, role))
    }

    spec fun is_known(role: u8): bool {
        PAUSER <= role && role <= CORRIDOR_MANAGER
    }

    spec fun is_bound(which: u8): bool {
        BATCH_AMOUNT_MAX <= which && which <= DISPUTE_AMOUNT_MAX
    }

    spec fun least_of(which: u8): u64 {
        if (which == BATCH_AMOUNT_MAX || which == DISPUTE_AMOUNT_MAX) 1
        else if (which == DISPUTE_SECONDS) 0
        else 60
    }

    spec fun usual_of(which: u8): u64 {
        if (which == BATCH_AMOUNT_MAX) 1000000000000000
        else if (which == DISPUTE_AMOUNT_MAX) 1000000000000
        else if (which == DISPUTE_SECONDS) 259200
        else 86400
    }

    spec fun most_of(which: u8): u64 {
        if (which == BATCH_AMOUNT_MAX) 1000000000000000000
        else if (which == DISPUTE_AMOUNT_MAX) 1000000000000000
        else if (which == DISPUTE_SECONDS) 2592000
        else 604800
    }

    spec fun value_of(g: Object<Governance>, which: u8): u64 {
        if (table::spec_contains(global<Governance>(at(g)).bounds, which))
            table::spec_get(global<Governance>(at(g)).bounds, which)
        else usual_of(which)
    }

    spec fun has_offer(g: Object<Governance>): bool {
        option::is_some(global<Governance>(at(g)).pending_owner)
    }

    spec schema Exists {
        g: Object<Governance>;
        aborts_if !exists<Governance>(at(g));
    }

    /// [high-level-req-1]
    spec schema OwnerOnly {
        g: Object<Governance>;
        by: address;
        include Exists;
        aborts_if global<Governance>(at(g)).owner != by;
    }

    /// [high-level-req-5]
    spec schema KeepsOwner {
        g: Object<Governance>;
        ensures global<Governance>(at(g)).owner == old(global<Governance>(at(g)).owner);
        ensures global<Governance>(at(g)).pending_owner
            == old(global<Governance>(at(g)).pending_owner);
    }

    /// [high-level-req-5]
    spec schema KeepsPause {
        g: Object<Governance>;
        ensures global<Governance>(at(g)).paused == old(global<Governance>(at(g)).paused);
    }

    /// [high-level-req-5]
    spec schema KeepsTables {
        g: Object<Governance>;
        ensures global<Governance>(at(g)).roles == old(global<Governance>(at(g)).roles);
        ensures global<Governance>(at(g)).bounds == old(global<Governance>(at(g)).bounds);
    }

    // Views

    spec address_of(creator: address, seed: vector<u8>): address {
        pragma aborts_if_is_partial;
    }

    spec owner(g: Object<Governance>): address {
        include Exists;
        ensures result == global<Governance>(at(g)).owner;
    }

    spec pending_owner(g: Object<Governance>): Option<address> {
        include Exists;
        ensures result == global<Governance>(at(g)).pending_owner;
    }

    spec is_paused(g: Object<Governance>): bool {
        include Exists;
        ensures result == global<Governance>(at(g)).paused;
    }

    spec has_role(g: Object<Governance>, who: address, role: u8): bool {
        include Exists;
        ensures result == is_granted(g, who, role);
    }

    spec bound(g: Object<Governance>, which: u8): u64 {
        include Exists;
        aborts_if !is_bound(which);
        ensures result == value_of(g, which);
    }

    spec range_of(which: u8): (u64, u64, u64) {
        aborts_if !is_bound(which);
        ensures result_1 == least_of(which);
        ensures result_2 == usual_of(which);
        ensures result_3 == most_of(which);
        ensures result_1 <= result_2 && result_2 <= result_3;
    }

    // Numbers

    spec role_pauser(): u8 {
        aborts_if false;
        ensures result == PAUSER;
    }

    spec role_submitter(): u8 {
        aborts_if false;
        ensures result == SUBMITTER;
    }

    spec role_compliance_officer(): u8 {
        aborts_if false;
        ensures result == COMPLIANCE_OFFICER;
    }

    spec role_liquidity_manager(): u8 {
        aborts_if false;
        ensures result == LIQUIDITY_MANAGER;
    }

    spec role_arbiter(): u8 {
        aborts_if false;
        ensures result == ARBITER;
    }

    spec role_corridor_manager(): u8 {
        aborts_if false;
        ensures result == CORRIDOR_MANAGER;
    }

    spec bound_batch_amount_max(): u8 {
        aborts_if false;
        ensures result == BATCH_AMOUNT_MAX;
    }

    spec bound_approval_seconds_max(): u8 {
        aborts_if false;
        ensures result == APPROVAL_SECONDS_MAX;
    }

    spec bound_dispute_seconds(): u8 {
        aborts_if false;
        ensures result == DISPUTE_SECONDS;
    }

    spec bound_answer_seconds(): u8 {
        aborts_if false;
        ensures result == ANSWER_SECONDS;
    }

    spec bound_dispute_amount_max(): u8 {
        aborts_if false;
        ensures result == DISPUTE_AMOUNT_MAX;
    }

    // Public functions

    /// Aborts when there is an object of this creator and seed; the address is the object module's
    /// to tell.
    spec create_governance(creator: &signer, seed: vector<u8>): Object<Governance> {
        pragma aborts_if_is_partial;
        ensures exists<Governance>(at(result));
        ensures global<Governance>(at(result)).owner == signer::address_of(creator);
        ensures option::is_none(global<Governance>(at(result)).pending_owner);
        ensures !global<Governance>(at(result)).paused;
    }

    spec create(creator: &signer, seed: vector<u8>) {
        pragma aborts_if_is_partial;
    }

    spec assert_not_paused(g: Object<Governance>) {
        include Exists;
        aborts_if global<Governance>(at(g)).paused;
    }

    spec assert_role(g: Object<Governance>, who: address, role: u8) {
        include Exists;
        aborts_if !is_granted(g, who, role);
    }

    spec assert_owner(g: Object<Governance>, who: address) {
        include OwnerOnly { by: who };
    }

    // Entry functions

    spec grant(
        owner: &signer,
        g: Object<Governance>,
        who: address,
        role: u8
    ) {
        include OwnerOnly { by: signer::address_of(owner) };
        aborts_if !is_known(role);
        aborts_if who == @0x0;
        include KeepsOwner;
        include KeepsPause;
        ensures is_granted(g, who, role);
        ensures forall other: address, another: u8 where other != who || another != role:
            is_granted(g, other, another) == old(is_granted(g, other, another));
    }

    spec revoke(
        owner: &signer,
        g: Object<Governance>,
        who: address,
        role: u8
    ) {
        include OwnerOnly { by: signer::address_of(owner) };
        aborts_if !is_known(role);
        include KeepsOwner;
        include KeepsPause;
        ensures !is_granted(g, who, role);
        ensures forall other: address, another: u8 where other != who || another != role:
            is_granted(g, other, another) == old(is_granted(g, other, another));
    }

    spec offer_ownership(owner: &signer, g: Object<Governance>, to: address) {
        include OwnerOnly { by: signer::address_of(owner) };
        aborts_if to == @0x0;
        aborts_if to == signer::address_of(owner);
        include KeepsPause;
        include KeepsTables;
        ensures option::borrow(global<Governance>(at(g)).pending_owner) == to;
        ensures global<Governance>(at(g)).owner == signer::address_of(owner);
    }

    spec withdraw_offer(owner: &signer, g: Object<Governance>) {
        include OwnerOnly { by: signer::address_of(owner) };
        aborts_if !has_offer(g);
        include KeepsPause;
        include KeepsTables;
        ensures !has_offer(g);
        ensures global<Governance>(at(g)).owner == signer::address_of(owner);
    }

    /// [high-level-req-2]
    spec accept_ownership(to: &signer, g: Object<Governance>) {
        include Exists;
        aborts_if !has_offer(g);
        aborts_if option::borrow(global<Governance>(at(g)).pending_owner) != signer::address_of(to);
        include KeepsPause;
        include KeepsTables;
        ensures global<Governance>(at(g)).owner == signer::address_of(to);
        ensures !has_offer(g);
    }

    /// [high-level-req-3]
    spec pause(pauser: &signer, g: Object<Governance>) {
        include Exists;
        aborts_if !is_granted(g, signer::address_of(pauser), PAUSER);
        include KeepsOwner;
        include KeepsTables;
        ensures global<Governance>(at(g)).paused;
    }

    spec unpause(owner: &signer, g: Object<Governance>) {
        include OwnerOnly { by: signer::address_of(owner) };
        include KeepsOwner;
        include KeepsTables;
        ensures !global<Governance>(at(g)).paused;
    }

    /// [high-level-req-4]
    spec set_bound(
        owner: &signer,
        g: Object<Governance>,
        which: u8,
        value: u64
    ) {
        include OwnerOnly { by: signer::address_of(owner) };
        aborts_if !is_bound(which);
        aborts_if value < least_of(which) || value > most_of(which);
        include KeepsOwner;
        include KeepsPause;
        ensures value_of(g, which) == value;
        ensures forall other: u8 where other != which:
            value_of(g, other) == old(value_of(g, other));
    }

    // Internal

    spec assert_known(role: u8) {
        aborts_if !is_known(role);
    }

    spec take_offer(g: Object<Governance>): address {
        include Exists;
        aborts_if !has_offer(g);
        ensures result == old(option::borrow(global<Governance>(at(g)).pending_owner));
        ensures !has_offer(g);
    }
}

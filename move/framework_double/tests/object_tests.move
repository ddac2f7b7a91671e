#[test_only]
module std::object_tests {
    use std::bcs;
    use std::hash;
    use std::vector;
    use aptos_std::from_bcs;
    use aptos_framework::account;
    use aptos_framework::event;
    use aptos_framework::object::{Self, ConstructorRef, Object, ObjectCore};

    const ALICE: address = @0xa11ce;
    const BOB: address = @0xb0b;

    struct Thing has key {}

    struct Other has key {}

    fun alice(): signer {
        account::create_signer_for_test(ALICE)
    }

    fun bob(): signer {
        account::create_signer_for_test(BOB)
    }

    fun thing(seed: vector<u8>): (ConstructorRef, Object<Thing>) {
        let ref = object::create_named_object(&alice(), seed);
        move_to(&object::generate_signer(&ref), Thing {});
        let made = object::object_from_constructor_ref<Thing>(&ref);
        (ref, made)
    }

    #[test]
    fun a_named_object_is_where_its_creator_and_seed_say() {
        let (ref, made) = thing(b"seed");
        let source = bcs::to_bytes(&ALICE);
        vector::append(&mut source, b"seed");
        vector::push_back(&mut source, 0xFE);
        let expected = from_bcs::to_address(hash::sha3_256(source));
        assert!(object::object_address(&made) == expected, 0);
        assert!(object::address_from_constructor_ref(&ref) == expected, 0);
        assert!(object::create_object_address(&ALICE, b"seed") == expected, 0);
        assert!(object::owner(made) == ALICE, 0);
        assert!(object::object_exists<Thing>(expected), 0);
        assert!(!object::object_exists<Other>(expected), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x80001, location = aptos_framework::object)]
    fun a_seed_is_used_once() {
        thing(b"seed");
        thing(b"seed");
    }

    #[test]
    #[expected_failure(abort_code = 0x60002, location = aptos_framework::object)]
    fun there_is_no_object_at_an_account() {
        object::address_to_object<Thing>(ALICE);
    }

    #[test]
    #[expected_failure(abort_code = 0x60007, location = aptos_framework::object)]
    fun an_object_is_not_what_it_does_not_hold() {
        let (_, made) = thing(b"seed");
        object::convert<Thing, Other>(made);
    }

    #[test]
    fun two_objects_without_a_name_are_at_two_addresses() {
        let one = object::create_object(ALICE);
        let two = object::create_object(ALICE);
        assert!(
            object::address_from_constructor_ref(&one) != object::address_from_constructor_ref(&two),
            0
        );
    }

    #[test]
    fun who_owns_the_owner_owns() {
        let (_, outer) = thing(b"outer");
        let (_, inner) = thing(b"inner");
        object::transfer_to_object(&alice(), inner, outer);
        assert!(object::owner(inner) == object::object_address(&outer), 0);
        assert!(!object::is_owner(inner, ALICE), 0);
        assert!(object::owns(inner, ALICE), 0);
        assert!(!object::owns(inner, BOB), 0);
        assert!(object::root_owner(inner) == ALICE, 0);
        object::transfer(&alice(), inner, BOB);
        assert!(object::owner(inner) == BOB, 0);
    }

    #[test]
    fun an_object_does_not_own_itself() {
        let (_, made) = thing(b"seed");
        assert!(!object::owns(made, object::object_address(&made)), 0);
    }

    #[test]
    fun a_transfer_is_told_once() {
        let (_, made) = thing(b"seed");
        object::transfer(&alice(), made, ALICE);
        assert!(vector::is_empty(&event::emitted_events<object::Transfer>()), 0);
        object::transfer(&alice(), made, BOB);
        assert!(vector::length(&event::emitted_events<object::Transfer>()) == 1, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50004, location = aptos_framework::object)]
    fun who_does_not_own_cannot_give() {
        let (_, made) = thing(b"seed");
        object::transfer(&bob(), made, BOB);
    }

    #[test]
    #[expected_failure(abort_code = 0x50003, location = aptos_framework::object)]
    fun what_is_gated_cannot_be_given() {
        let (ref, made) = thing(b"seed");
        object::disable_ungated_transfer(&object::generate_transfer_ref(&ref));
        object::transfer(&alice(), made, BOB);
    }

    #[test]
    fun what_is_gated_can_be_given_by_its_reference() {
        let (ref, made) = thing(b"seed");
        let gate = object::generate_transfer_ref(&ref);
        object::disable_ungated_transfer(&gate);
        assert!(!object::ungated_transfer_allowed(made), 0);
        object::transfer_with_ref(object::generate_linear_transfer_ref(&gate), BOB);
        assert!(object::owner(made) == BOB, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x50004, location = aptos_framework::object)]
    fun a_reference_gives_once() {
        let (ref, _) = thing(b"seed");
        let gate = object::generate_transfer_ref(&ref);
        let (first, second) = (
            object::generate_linear_transfer_ref(&gate), object::generate_linear_transfer_ref(&gate)
        );
        object::transfer_with_ref(first, BOB);
        object::transfer_with_ref(second, ALICE);
    }

    #[test]
    #[expected_failure(abort_code = 0x50005, location = aptos_framework::object)]
    fun what_has_a_name_cannot_be_deleted() {
        let (ref, _) = thing(b"seed");
        object::generate_delete_ref(&ref);
    }

    #[test]
    fun what_has_no_name_can_be_deleted() {
        let ref = object::create_object(ALICE);
        let made = object::object_from_constructor_ref<ObjectCore>(&ref);
        object::delete(object::generate_delete_ref(&ref));
        assert!(!object::is_object(object::object_address(&made)), 0);
    }

    #[test]
    fun a_signer_of_an_object_is_the_object() {
        let (ref, made) = thing(b"seed");
        let extend = object::generate_extend_ref(&ref);
        let holder = object::generate_signer_for_extending(&extend);
        assert!(std::signer::address_of(&holder) == object::object_address(&made), 0);
    }
}

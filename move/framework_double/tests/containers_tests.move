#[test_only]
module std::containers_tests {
    use std::error;
    use std::option;
    use std::string;
    use std::vector;
    use aptos_std::from_bcs;
    use aptos_std::math128;
    use aptos_std::math64;
    use aptos_std::table;
    use aptos_std::table_with_length;
    use aptos_std::type_info;
    use aptos_framework::account;
    use aptos_framework::chain_id;
    use aptos_framework::timestamp;

    struct Thing has copy, drop, store {
        number: u64
    }

    fun framework(): signer {
        account::create_signer_for_test(@aptos_framework)
    }

    #[test]
    fun a_reason_stands_under_its_category() {
        assert!(error::invalid_argument(3) == 0x10003 && error::out_of_range(3) == 0x20003, 0);
        assert!(error::invalid_state(3) == 0x30003 && error::unauthenticated(3) == 0x40003, 0);
        assert!(error::permission_denied(3) == 0x50003 && error::not_found(3) == 0x60003, 0);
        assert!(error::aborted(3) == 0x70003 && error::already_exists(3) == 0x80003, 0);
        assert!(error::resource_exhausted(3) == 0x90003 && error::cancelled(3) == 0xA0003, 0);
        assert!(error::internal(3) == 0xB0003 && error::not_implemented(3) == 0xC0003, 0);
        assert!(error::unavailable(3) == 0xD0003, 0);
    }

    #[test]
    fun a_vector_is_appended_reversed_and_cut() {
        let numbers = vector[1, 2, 3];
        vector::append(&mut numbers, vector[4, 5]);
        assert!(numbers == vector[1, 2, 3, 4, 5], 0);
        vector::reverse(&mut numbers);
        assert!(numbers == vector[5, 4, 3, 2, 1], 0);
        assert!(vector::trim(&mut numbers, 3) == vector[2, 1], 0);
        assert!(vector::slice(&numbers, 1, 3) == vector[4, 3], 0);
        assert!(vector::range(2, 5) == vector[2, 3, 4], 0);
    }

    #[test]
    fun elements_are_found_put_in_and_taken_out() {
        let numbers = vector[10, 20, 30];
        let (is_found, where) = vector::index_of(&numbers, &20);
        assert!(is_found && where == 1, 0);
        assert!(!vector::contains(&numbers, &40), 0);
        vector::insert(&mut numbers, 1, 15);
        assert!(numbers == vector[10, 15, 20, 30], 0);
        assert!(vector::remove(&mut numbers, 0) == 10, 0);
        assert!(vector::swap_remove(&mut numbers, 0) == 15, 0);
        assert!(numbers == vector[30, 20], 0);
    }

    #[test]
    fun elements_are_gone_through_in_order() {
        let seen = vector[];
        vector::for_each_ref(&vector[1, 2, 3], |n| vector::push_back(&mut seen, *n));
        vector::for_each(vector[4, 5], |n| vector::push_back(&mut seen, n));
        assert!(seen == vector[1, 2, 3, 4, 5], 0);
        assert!(vector::fold(seen, 0, |sum, n| sum + n) == 15, 0);
        assert!(vector::map_ref(&seen, |n| *n * 2) == vector[2, 4, 6, 8, 10], 0);
        assert!(vector::filter(seen, |n| *n % 2 == 0) == vector[2, 4], 0);
        assert!(vector::any(&seen, |n| *n == 5) && !vector::all(&seen, |n| *n < 5), 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x20000, location = std::vector)]
    fun nothing_is_taken_from_beyond_the_end() {
        vector::remove(&mut vector[1], 1);
    }

    #[test]
    #[expected_failure(abort_code = 0x20001, location = std::vector)]
    fun no_slice_ends_before_it_begins() {
        vector::slice(&vector[1, 2], 2, 1);
    }

    #[test]
    fun an_option_is_filled_and_emptied() {
        let held = option::none();
        assert!(option::is_none(&held) && option::get_with_default(&held, 7) == 7, 0);
        option::fill(&mut held, 5);
        assert!(option::contains(&held, &5) && *option::borrow(&held) == 5, 0);
        *option::borrow_mut(&mut held) = 6;
        assert!(option::swap(&mut held, 8) == 6, 0);
        assert!(option::extract(&mut held) == 8 && option::is_none(&held), 0);
        assert!(option::destroy_some(option::some(9)) == 9, 0);
        assert!(option::to_vec(option::from_vec(vector[3])) == vector[3], 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x40001, location = std::option)]
    fun nothing_is_borrowed_from_none() {
        option::borrow(&option::none<u64>());
    }

    #[test]
    #[expected_failure(abort_code = 0x40000, location = std::option)]
    fun what_is_filled_is_not_filled_again() {
        option::fill(&mut option::some(1), 2);
    }

    #[test]
    fun a_text_is_put_together_and_cut() {
        let text = string::utf8(b"mobile");
        string::append(&mut text, string::utf8(b" money"));
        assert!(string::length(&text) == 12, 0);
        assert!(string::sub_string(&text, 7, 12) == string::utf8(b"money"), 0);
        assert!(string::index_of(&text, &string::utf8(b"money")) == 7, 0);
        assert!(option::is_none(&string::try_utf8(x"ff")), 0);
    }

    #[test]
    #[expected_failure(abort_code = 1, location = std::string)]
    fun a_text_is_utf8() {
        string::utf8(x"ff");
    }

    #[test]
    fun a_table_keeps_what_is_put_under_a_key() {
        let kept = table::new<u64, Thing>();
        table::add(&mut kept, 1, Thing { number: 10 });
        table::upsert(&mut kept, 1, Thing { number: 11 });
        table::upsert(&mut kept, 2, Thing { number: 20 });
        table::borrow_mut(&mut kept, 2).number = 21;
        table::borrow_mut_with_default(&mut kept, 3, Thing { number: 30 }).number = 31;
        assert!(table::borrow(&kept, 1).number == 11, 0);
        assert!(table::borrow(&kept, 2).number == 21 && table::borrow(&kept, 3).number == 31, 0);
        assert!(table::borrow_with_default(&kept, 4, &Thing { number: 4 }).number == 4, 0);
        assert!(table::remove(&mut kept, 1).number == 11 && !table::contains(&kept, 1), 0);
        table::drop_unchecked(kept);
    }

    #[test]
    #[expected_failure(abort_code = 25607, location = aptos_std::table)]
    fun a_key_is_added_once() {
        let kept = table::new<u64, u64>();
        table::add(&mut kept, 1, 10);
        table::add(&mut kept, 1, 10);
        table::drop_unchecked(kept);
    }

    #[test]
    #[expected_failure(abort_code = 25863, location = aptos_std::table)]
    fun nothing_is_borrowed_under_a_key_that_is_not_there() {
        let kept = table::new<u64, u64>();
        table::borrow(&kept, 1);
        table::drop_unchecked(kept);
    }

    #[test]
    fun a_table_with_length_counts() {
        let kept = table_with_length::new<u64, u64>();
        table_with_length::add(&mut kept, 1, 10);
        table_with_length::upsert(&mut kept, 1, 11);
        table_with_length::upsert(&mut kept, 2, 20);
        assert!(table_with_length::length(&kept) == 2, 0);
        assert!(*table_with_length::borrow(&kept, 1) == 11, 0);
        table_with_length::remove(&mut kept, 1);
        table_with_length::remove(&mut kept, 2);
        assert!(table_with_length::empty(&kept), 0);
        table_with_length::destroy_empty(kept);
    }

    #[test]
    #[expected_failure(abort_code = 0x30066, location = aptos_std::table_with_length)]
    fun what_is_not_empty_is_not_destroyed() {
        let kept = table_with_length::new<u64, u64>();
        table_with_length::add(&mut kept, 1, 10);
        table_with_length::destroy_empty(kept);
    }

    #[test]
    fun arithmetic_keeps_what_a_product_has_over_its_width() {
        let most = 18446744073709551615;
        assert!(math64::mul_div(most, most, most) == most, 0);
        assert!(math64::mul_div(7, 3, 2) == 10 && math64::ceil_div(7, 2) == 4, 0);
        assert!(math64::ceil_div(0, 5) == 0 && math64::pow(3, 5) == 243, 0);
        assert!(math64::min(1, 2) == 1 && math64::max(1, 2) == 2 && math64::average(1, 4) == 2, 0);
        assert!(math64::clamp(9, 1, 5) == 5, 0);
        let widest = 340282366920938463463374607431768211455;
        assert!(math128::mul_div(widest, widest, widest) == widest, 0);
        assert!(math128::ceil_div(7, 2) == 4 && math128::min(2, 1) == 1, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10001, location = aptos_std::math64)]
    fun nothing_is_divided_by_zero() {
        math64::mul_div(1, 1, 0);
    }

    #[test]
    fun bytes_become_values() {
        assert!(from_bcs::to_u64(x"0100000000000000") == 1 && from_bcs::to_bool(x"01"), 0);
        assert!(from_bcs::to_address(std::bcs::to_bytes(&@0xcafe)) == @0xcafe, 0);
        assert!(from_bcs::to_string(x"026869") == string::utf8(b"hi"), 0);
    }

    #[test]
    #[expected_failure]
    fun bytes_that_are_too_many_become_nothing() {
        from_bcs::to_u8(x"0101");
    }

    #[test]
    fun a_type_has_a_name() {
        let type = type_info::type_of<Thing>();
        assert!(type_info::account_address(&type) == @std, 0);
        assert!(type_info::module_name(&type) == b"containers_tests", 0);
        assert!(type_info::struct_name(&type) == b"Thing", 0);
    }

    #[test]
    fun the_clock_goes_forward() {
        timestamp::set_time_has_started_for_testing(&framework());
        assert!(timestamp::now_seconds() == 0, 0);
        timestamp::update_global_time_for_test_secs(100);
        timestamp::fast_forward_seconds(5);
        assert!(timestamp::now_seconds() == 105, 0);
        assert!(timestamp::now_microseconds() == 105000000, 0);
    }

    #[test]
    #[expected_failure(abort_code = 0x10002, location = aptos_framework::timestamp)]
    fun the_clock_does_not_go_backwards() {
        timestamp::set_time_has_started_for_testing(&framework());
        timestamp::update_global_time_for_test_secs(100);
        timestamp::update_global_time_for_test_secs(99);
    }

    #[test]
    fun the_chain_has_its_number() {
        chain_id::initialize_for_test(&framework(), 4);
        assert!(chain_id::get() == 4, 0);
    }

    #[test]
    fun an_account_is_made_once_and_signs() {
        let made = account::create_account_for_test(@0xa11ce);
        assert!(account::exists_at(@0xa11ce) && !account::exists_at(@0xb0b), 0);
        assert!(std::signer::address_of(&made) == @0xa11ce, 0);
    }
}

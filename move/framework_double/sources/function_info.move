/// Functions by name, for assets that bring their own. A double of the module of the same name on Aptos.
///
/// It does not compare the shape of a function with what is expected of it: the machine of the unit
/// tests cannot.
module aptos_framework::function_info {
    use std::error;
    use std::string::{Self, String};

    friend aptos_framework::fungible_asset;
    friend aptos_framework::dispatchable_fungible_asset;

    /// The name is not one of a function or module.
    const EINVALID_IDENTIFIER: u64 = 1;
    /// The function does not exist.
    const EINVALID_FUNCTION: u64 = 2;

    struct FunctionInfo has copy, drop, store {
        module_address: address,
        module_name: String,
        function_name: String
    }

    public fun new_function_info(
        module_signer: &signer, module_name: String, function_name: String
    ): FunctionInfo {
        new_function_info_from_address(
            std::signer::address_of(module_signer), module_name, function_name
        )
    }

    public(friend) fun new_function_info_from_address(
        module_address: address, module_name: String, function_name: String
    ): FunctionInfo {
        assert!(
            is_identifier(string::bytes(&module_name)), error::invalid_argument(EINVALID_IDENTIFIER)
        );
        assert!(
            is_identifier(string::bytes(&function_name)),
            error::invalid_argument(EINVALID_IDENTIFIER)
        );
        FunctionInfo { module_address, module_name, function_name }
    }

    public(friend) fun load_module_from_function(f: &FunctionInfo) {
        load_function_impl(f)
    }

    native fun is_identifier(s: &vector<u8>): bool;

    native fun load_function_impl(f: &FunctionInfo);
}

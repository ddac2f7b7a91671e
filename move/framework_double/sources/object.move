/// Objects: addresses that are owned, and that hold resources of any module.
///
/// A double of the module of the same name on Aptos: same signatures, same aborts. It differs in one
/// place on purpose: an object is never said to own itself, so a signer made for an object may not
/// withdraw from a store at the object's own address. Contracts must not lean on that.
module aptos_framework::object {
    use std::bcs;
    use std::error;
    use std::hash;
    use std::signer;
    use std::vector;
    use aptos_std::from_bcs;
    use aptos_framework::account;
    use aptos_framework::event;
    use aptos_framework::transaction_context;

    friend aptos_framework::primary_fungible_store;

    /// There is an object at this address already.
    const EOBJECT_EXISTS: u64 = 1;
    /// There is no object at this address.
    const EOBJECT_DOES_NOT_EXIST: u64 = 2;
    /// The object can be transferred with its reference alone.
    const ENO_UNGATED_TRANSFERS: u64 = 3;
    /// The signer does not own the object.
    const ENOT_OBJECT_OWNER: u64 = 4;
    /// The object cannot be deleted.
    const ECANNOT_DELETE: u64 = 5;
    /// Objects own each other more than this many deep.
    const EMAXIMUM_NESTING: u64 = 6;
    /// The object has no such resource.
    const ERESOURCE_DOES_NOT_EXIST: u64 = 7;

    const MAXIMUM_OBJECT_NESTING: u8 = 8;

    const OBJECT_DERIVED_SCHEME: u8 = 0xFC;
    const OBJECT_FROM_SEED_ADDRESS_SCHEME: u8 = 0xFE;

    #[resource_group(scope = global)]
    struct ObjectGroup {}

    #[resource_group_member(group = aptos_framework::object::ObjectGroup)]
    struct ObjectCore has key {
        guid_creation_num: u64,
        owner: address,
        allow_ungated_transfer: bool
    }

    struct Object<phantom T> has copy, drop, store {
        inner: address
    }

    struct ConstructorRef has drop {
        self: address,
        can_delete: bool
    }

    struct DeleteRef has drop, store {
        self: address
    }

    struct ExtendRef has drop, store {
        self: address
    }

    struct TransferRef has drop, store {
        self: address
    }

    struct LinearTransferRef has drop {
        self: address,
        owner: address
    }

    struct DeriveRef has drop, store {
        self: address
    }

    /// What the address of a derived object is the digest of, byte by byte.
    struct Derivation has drop {
        source: address,
        derive_from: address,
        scheme: u8
    }

    #[event]
    struct Transfer has drop, store {
        object: address,
        from: address,
        to: address
    }

    #[view]
    public fun is_object(object: address): bool {
        exists<ObjectCore>(object)
    }

    #[view]
    public fun object_exists<T: key>(object: address): bool {
        exists<ObjectCore>(object) && exists_at<T>(object)
    }

    #[view]
    public fun owner<T: key>(object: Object<T>): address acquires ObjectCore {
        assert!(is_object(object.inner), error::not_found(EOBJECT_DOES_NOT_EXIST));
        borrow_global<ObjectCore>(object.inner).owner
    }

    #[view]
    public fun is_owner<T: key>(object: Object<T>, owner: address): bool acquires ObjectCore {
        owner(object) == owner
    }

    #[view]
    public fun owns<T: key>(object: Object<T>, owner: address): bool acquires ObjectCore {
        let current = owner(object);
        let depth = 0;
        while (current != owner) {
            depth = depth + 1;
            assert!(depth < MAXIMUM_OBJECT_NESTING, error::out_of_range(EMAXIMUM_NESTING));
            if (!is_object(current)) return false;
            current = borrow_global<ObjectCore>(current).owner;
        };
        true
    }

    #[view]
    public fun ungated_transfer_allowed<T: key>(object: Object<T>): bool acquires ObjectCore {
        assert!(is_object(object.inner), error::not_found(EOBJECT_DOES_NOT_EXIST));
        borrow_global<ObjectCore>(object.inner).allow_ungated_transfer
    }

    #[view]
    public fun root_owner<T: key>(object: Object<T>): address acquires ObjectCore {
        let current = owner(object);
        while (is_object(current)) {
            current = borrow_global<ObjectCore>(current).owner;
        };
        current
    }

    public fun create_object_address(source: &address, seed: vector<u8>): address {
        let bytes = bcs::to_bytes(source);
        let i = 0;
        let size = vector::length(&seed);
        while (i < size) {
            vector::push_back(&mut bytes, *vector::borrow(&seed, i));
            i = i + 1;
        };
        vector::push_back(&mut bytes, OBJECT_FROM_SEED_ADDRESS_SCHEME);
        from_bcs::to_address(hash::sha3_256(bytes))
    }

    public fun create_user_derived_object_address(source: address, derive_from: address): address {
        let pair = Derivation { source, derive_from, scheme: OBJECT_DERIVED_SCHEME };
        from_bcs::to_address(hash::sha3_256(bcs::to_bytes(&pair)))
    }

    public fun create_named_object(creator: &signer, seed: vector<u8>): ConstructorRef {
        let creator_address = signer::address_of(creator);
        create_object_internal(
            creator_address, create_object_address(&creator_address, seed), false
        )
    }

    public fun create_object(owner_address: address): ConstructorRef {
        create_object_internal(owner_address, transaction_context::generate_auid_address(), true)
    }

    public fun create_sticky_object(owner_address: address): ConstructorRef {
        create_object_internal(owner_address, transaction_context::generate_auid_address(), false)
    }

    public fun create_object_from_account(creator: &signer): ConstructorRef {
        create_object(signer::address_of(creator))
    }

    public(friend) fun create_user_derived_object(
        creator_address: address, derive_ref: &DeriveRef
    ): ConstructorRef {
        create_object_internal(
            creator_address,
            create_user_derived_object_address(creator_address, derive_ref.self),
            false
        )
    }

    public fun address_to_object<T: key>(object: address): Object<T> {
        assert!(is_object(object), error::not_found(EOBJECT_DOES_NOT_EXIST));
        assert!(exists_at<T>(object), error::not_found(ERESOURCE_DOES_NOT_EXIST));
        Object { inner: object }
    }

    public fun object_address<T: key>(object: &Object<T>): address {
        object.inner
    }

    public fun convert<X: key, Y: key>(object: Object<X>): Object<Y> {
        address_to_object<Y>(object.inner)
    }

    public fun address_from_constructor_ref(ref: &ConstructorRef): address {
        ref.self
    }

    public fun object_from_constructor_ref<T: key>(ref: &ConstructorRef): Object<T> {
        address_to_object<T>(ref.self)
    }

    public fun can_generate_delete_ref(ref: &ConstructorRef): bool {
        ref.can_delete
    }

    public fun generate_delete_ref(ref: &ConstructorRef): DeleteRef {
        assert!(ref.can_delete, error::permission_denied(ECANNOT_DELETE));
        DeleteRef { self: ref.self }
    }

    public fun generate_extend_ref(ref: &ConstructorRef): ExtendRef {
        ExtendRef { self: ref.self }
    }

    public fun generate_transfer_ref(ref: &ConstructorRef): TransferRef {
        TransferRef { self: ref.self }
    }

    public fun generate_derive_ref(ref: &ConstructorRef): DeriveRef {
        DeriveRef { self: ref.self }
    }

    public fun generate_signer(ref: &ConstructorRef): signer {
        account::create_signer(ref.self)
    }

    public fun generate_signer_for_extending(ref: &ExtendRef): signer {
        account::create_signer(ref.self)
    }

    public fun address_from_extend_ref(ref: &ExtendRef): address {
        ref.self
    }

    public fun address_from_delete_ref(ref: &DeleteRef): address {
        ref.self
    }

    public fun object_from_delete_ref<T: key>(ref: &DeleteRef): Object<T> {
        address_to_object<T>(ref.self)
    }

    public fun delete(ref: DeleteRef) acquires ObjectCore {
        let ObjectCore { guid_creation_num: _, owner: _, allow_ungated_transfer: _ } =
            move_from<ObjectCore>(ref.self);
    }

    public fun disable_ungated_transfer(ref: &TransferRef) acquires ObjectCore {
        borrow_global_mut<ObjectCore>(ref.self).allow_ungated_transfer = false;
    }

    public fun enable_ungated_transfer(ref: &TransferRef) acquires ObjectCore {
        borrow_global_mut<ObjectCore>(ref.self).allow_ungated_transfer = true;
    }

    public fun generate_linear_transfer_ref(ref: &TransferRef): LinearTransferRef acquires ObjectCore {
        LinearTransferRef {
            self: ref.self,
            owner: borrow_global<ObjectCore>(ref.self).owner
        }
    }

    public fun transfer_with_ref(ref: LinearTransferRef, to: address) acquires ObjectCore {
        let object = borrow_global_mut<ObjectCore>(ref.self);
        assert!(object.owner == ref.owner, error::permission_denied(ENOT_OBJECT_OWNER));
        give(object, ref.self, to);
    }

    public entry fun transfer<T: key>(owner: &signer, object: Object<T>, to: address) acquires ObjectCore {
        transfer_raw(owner, object.inner, to)
    }

    public entry fun transfer_call(owner: &signer, object: address, to: address) acquires ObjectCore {
        transfer_raw(owner, object, to)
    }

    public entry fun transfer_to_object<O: key, T: key>(
        owner: &signer, object: Object<O>, to: Object<T>
    ) acquires ObjectCore {
        transfer_raw(owner, object.inner, to.inner)
    }

    public fun transfer_raw(owner: &signer, object: address, to: address) acquires ObjectCore {
        verify_ungated_and_descendant(signer::address_of(owner), object);
        let core = borrow_global_mut<ObjectCore>(object);
        if (core.owner != to) {
            give(core, object, to);
        }
    }

    fun give(core: &mut ObjectCore, object: address, to: address) {
        event::emit(Transfer { object, from: core.owner, to });
        core.owner = to;
    }

    /// Everything between the owner and the object allows transfers without a reference.
    fun verify_ungated_and_descendant(owner: address, object: address) acquires ObjectCore {
        assert!(is_object(object), error::not_found(EOBJECT_DOES_NOT_EXIST));
        let depth = 0;
        let current = ungated_owner(object);
        while (current != owner) {
            depth = depth + 1;
            assert!(depth < MAXIMUM_OBJECT_NESTING, error::out_of_range(EMAXIMUM_NESTING));
            assert!(is_object(current), error::permission_denied(ENOT_OBJECT_OWNER));
            current = ungated_owner(current);
        }
    }

    fun ungated_owner(object: address): address acquires ObjectCore {
        let core = borrow_global<ObjectCore>(object);
        assert!(core.allow_ungated_transfer, error::permission_denied(ENO_UNGATED_TRANSFERS));
        core.owner
    }

    fun create_object_internal(
        owner: address, object: address, can_delete: bool
    ): ConstructorRef {
        assert!(!exists<ObjectCore>(object), error::already_exists(EOBJECT_EXISTS));
        move_to(
            &account::create_signer(object),
            // Numbers of events begin where those of accounts cannot be.
            ObjectCore { guid_creation_num: 0x4000000000000, owner, allow_ungated_transfer: true }
        );
        ConstructorRef { self: object, can_delete }
    }

    native fun exists_at<T: key>(object: address): bool;

    spec native fun spec_exists_at<T: key>(object: address): bool;
}

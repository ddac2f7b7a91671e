/// Storage by key, a slot a key. A double of the module of the same name on Aptos.
module aptos_std::table {
    // The numbers that the tables of Aptos abort with; the machine here has others of its own.
    /// The key is there already.
    const EALREADY_EXISTS: u64 = 25607;
    /// The key is not there.
    const ENOT_FOUND: u64 = 25863;

    struct Table<phantom K: copy + drop, phantom V> has store {
        handle: address
    }

    /// What the machine keeps in a slot.
    struct Box<V> has key, drop, store {
        val: V
    }

    public fun new<K: copy + drop, V: store>(): Table<K, V> {
        Table { handle: new_table_handle<K, V>() }
    }

    public fun add<K: copy + drop, V>(self: &mut Table<K, V>, key: K, val: V) {
        assert!(!contains(self, copy key), EALREADY_EXISTS);
        add_box<K, V, Box<V>>(self, key, Box { val })
    }

    public fun borrow<K: copy + drop, V>(self: &Table<K, V>, key: K): &V {
        assert!(contains(self, copy key), ENOT_FOUND);
        &borrow_box<K, V, Box<V>>(self, key).val
    }

    public fun borrow_with_default<K: copy + drop, V>(
        self: &Table<K, V>, key: K, default: &V
    ): &V {
        if (contains(self, copy key)) borrow(self, key) else default
    }

    public fun borrow_mut<K: copy + drop, V>(self: &mut Table<K, V>, key: K): &mut V {
        assert!(contains(self, copy key), ENOT_FOUND);
        &mut borrow_box_mut<K, V, Box<V>>(self, key).val
    }

    public fun borrow_mut_with_default<K: copy + drop, V: drop>(
        self: &mut Table<K, V>, key: K, default: V
    ): &mut V {
        if (!contains(self, copy key)) {
            add(self, copy key, default)
        };
        borrow_mut(self, key)
    }

    public fun upsert<K: copy + drop, V: drop>(self: &mut Table<K, V>, key: K, value: V) {
        if (contains(self, copy key)) {
            *borrow_mut(self, key) = value;
        } else {
            add(self, key, value)
        }
    }

    public fun remove<K: copy + drop, V>(self: &mut Table<K, V>, key: K): V {
        assert!(contains(self, copy key), ENOT_FOUND);
        let Box { val } = remove_box<K, V, Box<V>>(self, key);
        val
    }

    public fun contains<K: copy + drop, V>(self: &Table<K, V>, key: K): bool {
        contains_box<K, V, Box<V>>(self, key)
    }

    /// Whoever calls this knows that nothing is left in it.
    public(friend) fun destroy_known_empty_unsafe<K: copy + drop, V>(self: Table<K, V>) {
        destroy_empty_box<K, V, Box<V>>(&self);
        drop_unchecked_box<K, V, Box<V>>(self)
    }

    #[test_only]
    public fun drop_unchecked<K: copy + drop, V>(self: Table<K, V>) {
        drop_unchecked_box<K, V, Box<V>>(self)
    }

    friend aptos_std::table_with_length;

    native fun new_table_handle<K, V>(): address;

    native fun add_box<K: copy + drop, V, B>(table: &mut Table<K, V>, key: K, val: Box<V>);

    native fun borrow_box<K: copy + drop, V, B>(table: &Table<K, V>, key: K): &Box<V>;

    native fun borrow_box_mut<K: copy + drop, V, B>(table: &mut Table<K, V>, key: K): &mut Box<V>;

    native fun contains_box<K: copy + drop, V, B>(table: &Table<K, V>, key: K): bool;

    native fun remove_box<K: copy + drop, V, B>(table: &mut Table<K, V>, key: K): Box<V>;

    native fun destroy_empty_box<K: copy + drop, V, B>(table: &Table<K, V>);

    native fun drop_unchecked_box<K: copy + drop, V, B>(table: Table<K, V>);

    spec Table {
        pragma intrinsic = map,
            map_new = new,
            map_add_no_override = add,
            map_add_override_if_exists = upsert,
            map_del_must_exist = remove,
            map_has_key = contains,
            map_borrow = borrow,
            map_borrow_mut = borrow_mut,
            map_borrow_mut_with_default = borrow_mut_with_default,
            map_spec_get = spec_get,
            map_spec_set = spec_set,
            map_spec_del = spec_remove,
            map_spec_has_key = spec_contains;
    }

    spec native fun spec_contains<K, V>(t: Table<K, V>, k: K): bool;
    spec native fun spec_remove<K, V>(t: Table<K, V>, k: K): Table<K, V>;
    spec native fun spec_set<K, V>(t: Table<K, V>, k: K, v: V): Table<K, V>;
    spec native fun spec_get<K, V>(t: Table<K, V>, k: K): V;
}

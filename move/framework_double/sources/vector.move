/// Sequences. A double of the module of the same name on Aptos; sizes cost what the machine charges.
module std::vector {
    /// The index is not within the vector.
    const EINDEX_OUT_OF_BOUNDS: u64 = 0x20000;
    /// The range is not within the vector, or ends before it begins.
    const EINVALID_RANGE: u64 = 0x20001;
    /// The two vectors are not equally long.
    const EVECTORS_LENGTH_MISMATCH: u64 = 0x20002;

    #[bytecode_instruction]
    native public fun empty<Element>(): vector<Element>;

    #[bytecode_instruction]
    native public fun length<Element>(self: &vector<Element>): u64;

    #[bytecode_instruction]
    native public fun borrow<Element>(self: &vector<Element>, i: u64): &Element;

    #[bytecode_instruction]
    native public fun push_back<Element>(self: &mut vector<Element>, e: Element);

    #[bytecode_instruction]
    native public fun borrow_mut<Element>(self: &mut vector<Element>, i: u64): &mut Element;

    #[bytecode_instruction]
    native public fun pop_back<Element>(self: &mut vector<Element>): Element;

    #[bytecode_instruction]
    native public fun destroy_empty<Element>(self: vector<Element>);

    #[bytecode_instruction]
    native public fun swap<Element>(self: &mut vector<Element>, i: u64, j: u64);

    public fun singleton<Element>(e: Element): vector<Element> {
        let made = empty();
        push_back(&mut made, e);
        made
    }

    public fun is_empty<Element>(self: &vector<Element>): bool {
        length(self) == 0
    }

    public fun reverse<Element>(self: &mut vector<Element>) {
        let size = length(self);
        reverse_slice(self, 0, size);
    }

    public fun reverse_slice<Element>(self: &mut vector<Element>, left: u64, right: u64) {
        assert!(left <= right, EINVALID_RANGE);
        while (left + 1 < right) {
            right = right - 1;
            swap(self, left, right);
            left = left + 1;
        }
    }

    /// Eight at a time, the last of them put aside first: bytes are appended wherever something is hashed,
    /// and coverage writes a line for every instruction. Calls nest no deeper than 512.
    public fun append<Element>(self: &mut vector<Element>, other: vector<Element>) {
        let size = length(&other);
        if (size < 8 || size > 4_096) {
            reverse(&mut other);
            reverse_append(self, other);
            return
        };
        let h = pop_back(&mut other);
        let g = pop_back(&mut other);
        let f = pop_back(&mut other);
        let e = pop_back(&mut other);
        let d = pop_back(&mut other);
        let c = pop_back(&mut other);
        let b = pop_back(&mut other);
        let a = pop_back(&mut other);
        append(self, other);
        push_back(self, a);
        push_back(self, b);
        push_back(self, c);
        push_back(self, d);
        push_back(self, e);
        push_back(self, f);
        push_back(self, g);
        push_back(self, h);
    }

    public fun reverse_append<Element>(self: &mut vector<Element>, other: vector<Element>) {
        let left = length(&other);
        while (left > 0) {
            push_back(self, pop_back(&mut other));
            left = left - 1;
        };
        destroy_empty(other);
    }

    public fun contains<Element>(self: &vector<Element>, e: &Element): bool {
        let (is_found, _) = index_of(self, e);
        is_found
    }

    public fun index_of<Element>(self: &vector<Element>, e: &Element): (bool, u64) {
        let i = 0;
        let size = length(self);
        while (i < size) {
            if (borrow(self, i) == e) return (true, i);
            i = i + 1;
        };
        (false, 0)
    }

    public fun insert<Element>(self: &mut vector<Element>, i: u64, e: Element) {
        let size = length(self);
        assert!(i <= size, EINDEX_OUT_OF_BOUNDS);
        push_back(self, e);
        while (size > i) {
            swap(self, size, size - 1);
            size = size - 1;
        }
    }

    public fun remove<Element>(self: &mut vector<Element>, i: u64): Element {
        let size = length(self);
        assert!(i < size, EINDEX_OUT_OF_BOUNDS);
        while (i + 1 < size) {
            swap(self, i, i + 1);
            i = i + 1;
        };
        pop_back(self)
    }

    public fun swap_remove<Element>(self: &mut vector<Element>, i: u64): Element {
        assert!(!is_empty(self), EINDEX_OUT_OF_BOUNDS);
        let last = length(self) - 1;
        swap(self, i, last);
        pop_back(self)
    }

    public fun trim<Element>(self: &mut vector<Element>, new_len: u64): vector<Element> {
        let rest = trim_reverse(self, new_len);
        reverse(&mut rest);
        rest
    }

    public fun trim_reverse<Element>(self: &mut vector<Element>, new_len: u64): vector<Element> {
        let size = length(self);
        assert!(new_len <= size, EINDEX_OUT_OF_BOUNDS);
        let rest = empty();
        while (new_len < size) {
            push_back(&mut rest, pop_back(self));
            size = size - 1;
        };
        rest
    }

    public fun slice<Element: copy>(self: &vector<Element>, start: u64, end: u64): vector<Element> {
        assert!(start <= end && end <= length(self), EINVALID_RANGE);
        let piece = empty();
        while (start < end) {
            push_back(&mut piece, *borrow(self, start));
            start = start + 1;
        };
        piece
    }

    public inline fun for_each<Element>(self: vector<Element>, f: |Element|) {
        reverse(&mut self);
        for_each_reverse(self, |e| f(e));
    }

    public inline fun for_each_reverse<Element>(self: vector<Element>, f: |Element|) {
        let left = length(&self);
        while (left > 0) {
            f(pop_back(&mut self));
            left = left - 1;
        };
        destroy_empty(self)
    }

    public inline fun for_each_ref<Element>(self: &vector<Element>, f: |&Element|) {
        let i = 0;
        let size = length(self);
        while (i < size) {
            f(borrow(self, i));
            i = i + 1
        }
    }

    public inline fun for_each_mut<Element>(self: &mut vector<Element>, f: |&mut Element|) {
        let i = 0;
        let size = length(self);
        while (i < size) {
            f(borrow_mut(self, i));
            i = i + 1
        }
    }

    public inline fun enumerate_ref<Element>(self: &vector<Element>, f: |u64, &Element|) {
        let i = 0;
        let size = length(self);
        while (i < size) {
            f(i, borrow(self, i));
            i = i + 1;
        };
    }

    public inline fun zip_ref<Left, Right>(
        self: &vector<Left>, other: &vector<Right>, f: |&Left, &Right|
    ) {
        let size = length(self);
        assert!(size == length(other), 0x20002);
        let i = 0;
        while (i < size) {
            f(borrow(self, i), borrow(other, i));
            i = i + 1
        }
    }

    public inline fun fold<Accumulator, Element>(
        self: vector<Element>, init: Accumulator, f: |Accumulator, Element|Accumulator
    ): Accumulator {
        let accumulated = init;
        for_each(self, |e| accumulated = f(accumulated, e));
        accumulated
    }

    public inline fun map_ref<Element, NewElement>(
        self: &vector<Element>, f: |&Element|NewElement
    ): vector<NewElement> {
        let made = empty<NewElement>();
        for_each_ref(self, |e| push_back(&mut made, f(e)));
        made
    }

    public inline fun map<Element, NewElement>(
        self: vector<Element>, f: |Element|NewElement
    ): vector<NewElement> {
        let made = empty<NewElement>();
        for_each(self, |e| push_back(&mut made, f(e)));
        made
    }

    public inline fun filter<Element: drop>(
        self: vector<Element>, p: |&Element|bool
    ): vector<Element> {
        let kept = empty<Element>();
        for_each(self, |e| {
            if (p(&e)) push_back(&mut kept, e);
        });
        kept
    }

    public inline fun any<Element>(self: &vector<Element>, p: |&Element|bool): bool {
        let found = false;
        let i = 0;
        while (i < length(self)) {
            found = p(borrow(self, i));
            if (found) break;
            i = i + 1
        };
        found
    }

    public inline fun all<Element>(self: &vector<Element>, p: |&Element|bool): bool {
        !any(self, |e| !p(e))
    }

    public inline fun destroy<Element>(self: vector<Element>, d: |Element|) {
        for_each_reverse(self, |e| d(e))
    }

    public fun range(start: u64, end: u64): vector<u64> {
        let made = empty();
        while (start < end) {
            push_back(&mut made, start);
            start = start + 1;
        };
        made
    }
}

/// A value that may not be there. A double of the module of the same name on Aptos.
module std::option {
    use std::vector;

    /// There is a value already.
    const EOPTION_IS_SET: u64 = 0x40000;
    /// There is no value.
    const EOPTION_NOT_SET: u64 = 0x40001;
    /// More than one element cannot become an option.
    const EOPTION_VEC_TOO_LONG: u64 = 0x40002;

    struct Option<Element> has copy, drop, store {
        vec: vector<Element>
    }

    public fun none<Element>(): Option<Element> {
        Option { vec: vector::empty() }
    }

    public fun some<Element>(e: Element): Option<Element> {
        Option { vec: vector::singleton(e) }
    }

    public fun from_vec<Element>(vec: vector<Element>): Option<Element> {
        assert!(vector::length(&vec) <= 1, EOPTION_VEC_TOO_LONG);
        Option { vec }
    }

    public fun is_none<Element>(self: &Option<Element>): bool {
        vector::is_empty(&self.vec)
    }

    public fun is_some<Element>(self: &Option<Element>): bool {
        !vector::is_empty(&self.vec)
    }

    public fun contains<Element>(self: &Option<Element>, e_ref: &Element): bool {
        vector::contains(&self.vec, e_ref)
    }

    public fun borrow<Element>(self: &Option<Element>): &Element {
        assert!(is_some(self), EOPTION_NOT_SET);
        vector::borrow(&self.vec, 0)
    }

    public fun borrow_with_default<Element>(
        self: &Option<Element>, default_ref: &Element
    ): &Element {
        if (is_none(self)) default_ref else vector::borrow(&self.vec, 0)
    }

    public fun get_with_default<Element: copy + drop>(
        self: &Option<Element>, default: Element
    ): Element {
        if (is_none(self)) default else *vector::borrow(&self.vec, 0)
    }

    public fun fill<Element>(self: &mut Option<Element>, e: Element) {
        assert!(is_none(self), EOPTION_IS_SET);
        vector::push_back(&mut self.vec, e);
    }

    public fun extract<Element>(self: &mut Option<Element>): Element {
        assert!(is_some(self), EOPTION_NOT_SET);
        vector::pop_back(&mut self.vec)
    }

    public fun borrow_mut<Element>(self: &mut Option<Element>): &mut Element {
        assert!(is_some(self), EOPTION_NOT_SET);
        vector::borrow_mut(&mut self.vec, 0)
    }

    public fun swap<Element>(self: &mut Option<Element>, e: Element): Element {
        let old = extract(self);
        vector::push_back(&mut self.vec, e);
        old
    }

    public fun destroy_with_default<Element: drop>(
        self: Option<Element>, default: Element
    ): Element {
        if (is_none(&self)) default else extract(&mut self)
    }

    public fun destroy_some<Element>(self: Option<Element>): Element {
        assert!(is_some(&self), EOPTION_NOT_SET);
        let Option { vec } = self;
        let held = vector::pop_back(&mut vec);
        vector::destroy_empty(vec);
        held
    }

    public fun destroy_none<Element>(self: Option<Element>) {
        assert!(is_none(&self), EOPTION_IS_SET);
        let Option { vec } = self;
        vector::destroy_empty(vec)
    }

    public fun to_vec<Element>(self: Option<Element>): vector<Element> {
        let Option { vec } = self;
        vec
    }

    spec fun spec_none<Element>(): Option<Element> {
        Option { vec: vec() }
    }

    spec fun spec_some<Element>(e: Element): Option<Element> {
        Option { vec: vec(e) }
    }

    spec fun spec_is_some<Element>(self: Option<Element>): bool {
        len(self.vec) > 0
    }

    spec fun spec_is_none<Element>(self: Option<Element>): bool {
        len(self.vec) == 0
    }

    spec fun spec_borrow<Element>(self: Option<Element>): Element {
        self.vec[0]
    }

    spec fun spec_contains<Element>(self: Option<Element>, e: Element): bool {
        spec_is_some(self) && spec_borrow(self) == e
    }
}

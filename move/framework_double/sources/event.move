/// Events of modules. A double of the module of the same name on Aptos.
module aptos_framework::event {
    #[test_only]
    use std::vector;

    public fun emit<T: store + drop>(msg: T) {
        emit_event(&msg)
    }

    native fun emit_event<T: drop>(msg: &T);

    #[test_only]
    native public fun emitted_events<T: drop>(): vector<T>;

    #[test_only]
    public fun was_event_emitted<T: drop + store>(msg: &T): bool {
        vector::contains(&emitted_events<T>(), msg)
    }

    spec emit {
        pragma opaque;
        aborts_if false;
    }
}

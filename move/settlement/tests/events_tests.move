#[test_only]
/// What events say, byte by byte: their fields in order, as BCS.
module capp_settlement::events_tests {
    use std::bcs;
    use aptos_framework::event;
    use aptos_framework::object;
    use capp_settlement::settlement;
    use capp_settlement::stage::{Self, Stage};

    const EVIDENCE: vector<u8> = x"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    /// The only payment of a batch: any 32 bytes will do.
    const LEAF: vector<u8> = x"320f91fbb44d67413f1b757da6bdbd46d8bfed4afe0da1e0c8fd7b6d691b5687";

    fun at(stage: &Stage): address {
        object::object_address(&stage.corridor())
    }

    /// An event of a kind, by its place among them, has these bytes.
    fun says<T: drop + store>(place: u64, parts: vector<vector<u8>>) {
        let expected = vector[];
        parts.for_each_ref(|part| expected.append(*part));
        let told = event::emitted_events<T>();
        assert!(bcs::to_bytes(&told[place]) == expected);
    }

    fun number(value: u64): vector<u8> { bcs::to_bytes(&value) }

    fun settled(): Stage {
        let stage = stage::set();
        stage::draft(LEAF, 1).signed(&stage).settle(&stage);
        stage
    }

    fun opened(): Stage {
        let stage = settled();
        settlement::open_dispute(
            &stage::member(0), stage.corridor(), stage::batch_id(), LEAF, 0, vector[], 0, 1, 120
        );
        stage
    }

    fun id(stage: &Stage): vector<u8> {
        settlement::dispute_id(stage.corridor(), stage::batch_id(), LEAF, 0)
    }

    #[test]
    fun a_new_corridor_is_told() {
        let stage = stage::set();
        let pools = vector[];
        for (i in 0..3) pools.push_back(settlement::pool_of(stage.corridor(), i));
        says<settlement::CorridorCreated>(
            0,
            vector[
                bcs::to_bytes(&at(&stage)),
                bcs::to_bytes(&stage.governance()),
                bcs::to_bytes(&stage.registry()),
                bcs::to_bytes(&stage.asset()),
                bcs::to_bytes(&@0xa3),
                bcs::to_bytes(&stage::members()),
                bcs::to_bytes(&pools),
                bcs::to_bytes(&stage.keys()),
                number(2)
            ]
        );
    }

    #[test]
    fun other_approvers_are_told_with_before_and_after() {
        let stage = stage::set();
        let keys = vector[stage.keys()[1]];
        settlement::set_approvers(&stage::owner(), stage.corridor(), keys, 1);
        says<settlement::ApproversSet>(
            0,
            vector[
                bcs::to_bytes(&at(&stage)),
                bcs::to_bytes(&@0xa0),
                bcs::to_bytes(&stage.keys()),
                bcs::to_bytes(&keys),
                number(2),
                number(1)
            ]
        );
    }

    #[test]
    fun a_batch_is_told_with_who_handed_it_in_and_who_approved() {
        let stage = settled();
        says<settlement::Settled>(
            0,
            vector[
                bcs::to_bytes(&at(&stage)),
                bcs::to_bytes(&stage::batch_id()),
                bcs::to_bytes(&stage::draft(LEAF, 1).hash(&stage)),
                bcs::to_bytes(&LEAF),
                number(1),
                number(500),
                bcs::to_bytes(&@0xa4),
                bcs::to_bytes<vector<u64>>(&vector[0, 2]),
                number(stage::now())
            ]
        );
    }

    fun leg_says(stage: &Stage, place: u64, member: u64, numbers: vector<u64>) {
        let parts = vector[
            bcs::to_bytes(&at(stage)),
            bcs::to_bytes(&stage::batch_id()),
            number(member),
            bcs::to_bytes(&settlement::pool_of(stage.corridor(), member))
        ];
        numbers.for_each_ref(|value| parts.push_back(number(*value)));
        says<settlement::Leg>(place, parts);
    }

    #[test]
    fun legs_are_told_with_before_and_after_debtors_first() {
        let stage = settled();
        leg_says(&stage, 0, 0, vector[500, 0, 1_000_000, 999_500]);
        leg_says(&stage, 1, 1, vector[0, 300, 1_000_000, 1_000_300]);
        leg_says(&stage, 2, 2, vector[0, 200, 1_000_000, 1_000_200]);
    }

    #[test]
    fun a_dispute_is_told_from_its_opening_to_its_end() {
        let stage = opened();
        let (c, dispute) = (stage.corridor(), id(&stage));
        let head = vector[bcs::to_bytes(&at(&stage)), bcs::to_bytes(&dispute)];
        let parts = head;
        parts.push_back(bcs::to_bytes(&stage::batch_id()));
        parts.push_back(bcs::to_bytes(&LEAF));
        parts.append(vector[number(0), number(1), number(120), number(stage::now())]);
        says<settlement::DisputeOpened>(0, parts);
        settlement::answer_dispute(&stage::member(1), c, dispute, false, EVIDENCE);
        let parts = head;
        parts.append(vector[bcs::to_bytes(&false), bcs::to_bytes(&EVIDENCE), x"01", x"02"]);
        says<settlement::DisputeAnswered>(0, parts);
        settlement::resolve_dispute(&stage::arbiter(), c, dispute, 50);
        let parts = head;
        parts.append(vector[bcs::to_bytes(&@0xa5), number(50), x"02", x"03"]);
        says<settlement::DisputeResolved>(0, parts);
        settlement::refund(&stage::somebody(@0xe4e), c, dispute);
        let parts = head;
        parts.append(vector[number(0), number(1), number(50), number(70)]);
        says<settlement::Refunded>(0, parts);
    }
}

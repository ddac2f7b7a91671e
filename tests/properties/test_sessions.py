"""A session survives any input: there is always an answer, it fits, and nothing happens twice."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import CappError
from engine.segments import segments_of
from engine.septets import cut, fits, is_gsm7, septets, transliterate
from engine.session.readers import read_amount
from engine.session.session import pack, unpack
from tests.unit.session.rooms import PAYER, PIN, TEXTS, House

PAYEE = "256772000002"
# What a caller who knows the menu types, what a clumsy one does, and what nobody should.
KEYS = st.one_of(
    st.sampled_from(["1", "2", "3", "0", "00", PAYEE, "0712000001", "500", "900000", PIN, "1111"]),
    st.sampled_from(["", " ", "*", "**", "#", "1*1", "-1", "1e9", "٥", "€", "\x00", "\ud800"]),
    st.text(max_size=200),
)
WALK = st.lists(KEYS, max_size=25)
NETWORK = st.sampled_from(["63902", "63903", "64110", "99999", ""])
SOME = settings(max_examples=60, deadline=None)


async def house(*, known: bool, language: str) -> House:
    return await House().registered(language) if known else House()


@SOME
@given(walk=WALK, network=NETWORK, known=st.booleans(), language=st.sampled_from(TEXTS.languages))
async def test_any_walk_is_answered_within_the_budget_and_repeats_are_identical(
    walk: list[str], network: str, known: bool, language: str
) -> None:
    phone = await house(known=known, language=language)
    budget = 182 if network == "63903" else 160
    text, ended = "", False
    reply = await phone.take("", network=network)
    for key in walk:
        text = f"{text}*{key}" if text else key
        before = len(phone.payments.confirmed)
        reply = await phone.take(text, network=network)
        assert reply.text
        assert fits(reply.text, budget)
        assert reply.ends or not ended
        ended = ended or reply.ends
        record = dict(phone.records.records)
        after = len(phone.payments.confirmed)
        assert after <= before + 1
        assert await phone.take(text, network=network) == reply
        assert phone.records.records == record
        assert len(phone.payments.confirmed) == after
        assert len(record[PAYER, "s1"]) <= 1024


@SOME
@given(walk=WALK, chance=st.randoms(use_true_random=False))
async def test_turns_doubled_and_out_of_order_end_as_in_order(walk: list[str], chance: Any) -> None:
    in_order = await house(known=True, language="en")
    shuffled = await house(known=True, language="en")
    texts = [""]
    for key in walk:
        texts.append(f"{texts[-1]}*{key}" if texts[-1] else key)
    for index, text in enumerate(texts):
        expected = await in_order.take(text)
        assert await shuffled.take(text) == expected
        for older in chance.sample(texts[: index + 1], min(2, index + 1)):
            await shuffled.take(older)
    assert len(shuffled.payments.confirmed) == len(in_order.payments.confirmed)
    one, other = in_order.session(), shuffled.session()
    assert (one.screen, one.step, one.history) == (other.screen, other.step, other.history)


@SOME
@given(text=st.text(max_size=120))
async def test_any_first_text_is_answered_and_pays_nobody(text: str) -> None:
    phone = await house(known=True, language="sw")
    reply = await phone.take(text)
    assert fits(reply.text, 160)
    assert phone.payments.confirmed == {}


@SOME
@given(walk=WALK)
async def test_a_record_survives_being_written_and_read(walk: list[str]) -> None:
    phone = await house(known=True, language="en")
    await phone.press(*walk)
    session = phone.session()
    assert unpack(pack(session)) == session
    assert len(session.history) == len(set(session.history))


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=30))
def test_any_amount_is_read_exactly_or_refused_with_a_sentence(text: str) -> None:
    try:
        amount = read_amount(text, "KES")
    except CappError as mistake:
        assert TEXTS.has(str(mistake))
    else:
        assert amount.minor > 0
        assert read_amount(str(amount).removeprefix("KES "), "KES") == amount


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=400), budget=st.integers(0, 200))
def test_any_text_can_be_brought_into_the_alphabet_and_cut(text: str, budget: int) -> None:
    written = transliterate(text)
    assert is_gsm7(written)
    assert transliterate(written) == written
    short = cut(written, budget)
    assert septets(short) <= budget
    assert written.startswith(short)
    assert segments_of(text) >= 1

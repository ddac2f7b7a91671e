import hashlib

import msgspec
import pytest

from engine.decisions import Decision
from engine.money import Money
from engine.payments.ranking import Candidate, RouteRules, rank
from engine.payments.views import PaymentSummary
from engine.session.session import PIN, TEXT, Item, Seal, Session, head_of, pack, unpack
from engine.session.store import key_of, pointer_of
from tests.unit.session.rooms import PAYER, House

SEAL = Seal(b"s" * 32)
WAYS = ("mtn_ug", "airtel_ug", "africell_ug")


def ranked(operators: tuple[str, ...]) -> Decision:
    """A routing decision of its real size: it names all that was known of every way."""
    candidates = [
        Candidate(
            operator, operator == "mtn_ug", 2_712_300, 50_000, 500_000_000, 100, 3_500,
            available_minor=5_000_000_000, float_minor=3_000_000_000, in_flight_minor=12_000_000,
            day_minor=450_000_000, month_minor=9_900_000_000,
        )
        for operator in ("mpesa_ke", *operators)
    ]  # fmt: skip
    payer, *ways = candidates
    return rank(ways, 123_456, RouteRules(), margin_minor=45_000, payer=payer).decision


def session() -> Session:
    return Session("n" * 16, 7, "v", PAYER, "", "en", "KE", "home.menu", [])


async def test_a_record_reads_back_as_it_was_written() -> None:
    house = await House().registered()
    await house.press("1", "256772000002", "1000", "1")
    stored = house.session()
    assert stored.quote is not None
    assert stored.quote.amount == Money(100_000, "KES")
    assert unpack(pack(stored)) == stored
    assert type(stored.msisdn) is type(PAYER)
    assert type(stored.quote.payee) is type(PAYER)


async def test_a_session_in_the_middle_of_a_payment_takes_less_than_a_kilobyte() -> None:
    house = await House().registered()
    await house.press("1", "256772000002", "250,000", "1", "9999")
    stored = house.session()
    stored.summary = PaymentSummary(
        "CAPP000001", "collect_unknown", Money(25_000_000, "KES"), Money(10_000_000, "UGX"),
        PAYER, house.clock.now(), incoming=False,
    )  # fmt: skip
    stored.reply = "W" * 182
    assert stored.quote is not None
    stored.quote = msgspec.structs.replace(stored.quote, ways=WAYS, decisions=(ranked(WAYS),))
    stored.fill("payees", [Item(f"+2567720000{n:02} 100000 KES", "W" * 26) for n in range(10)])
    assert stored.screen == "send_money.pin"
    assert len(pack(stored)) <= 1024
    again = unpack(pack(stored))
    assert again is not None
    assert pack(again) == pack(stored)


def test_no_record_is_larger_than_a_kilobyte_at_the_edge_to_being_deflated() -> None:
    """What stands before the fields counts as well: such walks were a byte to four too large."""
    sizes = []
    for length in range(900, 1_100):
        edge = msgspec.structs.replace(session(), reply="W" * length)
        assert unpack(pack(edge)) == edge
        sizes.append(len(pack(edge)))
    assert max(sizes) == 1024


@pytest.mark.parametrize("spoilt", [b"\xc1", b"\xc1\x78\x01garbage"])
def test_a_deflated_record_that_is_spoilt_is_no_session(spoilt: bytes) -> None:
    assert unpack(b"\0\0\0\1" + spoilt) is None


def test_a_record_begins_with_its_version() -> None:
    assert head_of(pack(session())) == (7).to_bytes(4, "big")
    assert head_of(None) == b""


@pytest.mark.parametrize("record", [b"", b"\0\0\0\1", b"\0\0\0\1garbage", b"\0\0\0\1\x93\1\2\3"])
def test_a_record_nobody_can_read_is_no_session(record: bytes) -> None:
    assert unpack(record) is None


def test_a_seal_depends_on_key_session_kind_and_text() -> None:
    one, other = session(), session()
    other.nonce = "m" * 16
    macs = {
        SEAL.of(one, TEXT, "1"), SEAL.of(one, TEXT, "2"), SEAL.of(one, PIN, "1"),
        SEAL.of(other, TEXT, "1"), Seal(b"t" * 32).of(one, TEXT, "1"),
    }  # fmt: skip
    assert len(macs) == 5
    assert SEAL.matches(one, TEXT, "1", SEAL.of(one, TEXT, "1"))
    assert not SEAL.matches(one, TEXT, "1", b"")


@pytest.mark.parametrize("kind", [TEXT, PIN])
def test_a_seal_is_the_keyed_hash_that_live_records_hold_however_often_it_was_asked(
    kind: bytes,
) -> None:
    one = session()
    for text in ("1", "1*2", "1", "", "\ud800"):
        plain = one.nonce.encode() + text.encode("utf-8", "surrogatepass")
        told = hashlib.blake2b(plain, digest_size=16, key=b"s" * 32, person=kind).digest()
        assert SEAL.of(one, kind, text) == told


def test_a_seal_takes_no_weak_key_and_shows_none() -> None:
    assert "s" * 8 not in repr(SEAL)
    for key in (b"", b"x" * 15, b"x" * 65):
        with pytest.raises(ValueError, match="16 to 64"):
            Seal(key)


def test_keys_of_one_phone_share_a_slot_and_name_the_phone() -> None:
    assert key_of(1, PAYER, "s1") == "capp:session:{1:+254712000001}:s1"
    assert pointer_of(1, PAYER) == "capp:last:{1:+254712000001}"

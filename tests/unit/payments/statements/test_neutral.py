from datetime import date

import pytest

from engine.errors import Unreadable
from engine.money import Money
from engine.payments.statements import neutral
from engine.payments.statements.lines import Side
from engine.payments.statements.neutral import (
    HEADER,
    Fault,
    Reading,
    read_statement,
    read_whole_statement,
    write_statement,
)
from tests.unit.payments.statements.examples import DAY, NOON, TERMS, line

HEAD = ",".join(HEADER)
GOOD = "TKK632NMUA,ws_CO_1,in,1020.00,0.50,KES,+254712000001,2026-11-20T12:00:00+03:00,5000.25"


def read(text: str | bytes, *, currency: str = "KES", day: date = DAY) -> Reading:
    body = text if isinstance(text, bytes) else text.encode()
    return read_statement("mpesa_ke", currency, day, body, TERMS)


def test_every_column_is_read_to_the_cent_and_the_number_is_masked() -> None:
    (got,), faults = read(f"{HEAD}\r\n{GOOD}\r\n")
    assert faults == ()
    assert (got.operator, got.day, got.receipt, got.reference) == (
        "mpesa_ke", DAY, "TKK632NMUA", "ws_CO_1",
    )  # fmt: skip
    assert (got.side, got.amount, got.fee_minor) == (Side.IN, Money(102_000, "KES"), 50)
    assert (got.counterparty, got.completed_ms, got.balance_minor) == (
        "+2547*****001", NOON, 500_025,
    )  # fmt: skip


def test_no_part_of_a_line_gives_the_whole_number_away() -> None:
    named = GOOD.replace("ws_CO_1", "ws_CO_22112026224817102712000001")
    (first,), _ = read(f"{HEAD}\n{GOOD}\n")
    (other,), _ = read(f"{HEAD}\n{named.replace('712000001', '712999001')}\n")
    assert "712000001" not in repr(first)
    assert first.raw_hash == other.raw_hash  # a hash over a number could be tried out


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        ("", None),
        ("  7K2M9QX4TB ", "7K2M9QX4TB"),
        ("school fees", "school fees"),
        ("ada ya shule ሽ", "ada ya shule ሽ"),
        ("tab\there", None),
        ("x" * 128, "x" * 128),
        ("x" * 129, None),
    ],
)
def test_no_word_that_a_customer_typed_refuses_the_file(typed: str, called: str | None) -> None:
    (got,), faults = read(f"{HEAD}\n{changed('reference', typed)}\n")
    assert (got.reference, faults) == (called, ())


@pytest.mark.parametrize(
    "body",
    [
        f"{HEAD}\n{GOOD}",
        f"{HEAD}\r\n{GOOD}\r\n",
        f"\ufeff{HEAD}\r\n{GOOD}\r\n\r\n",
        HEAD + "\n" + ",".join(f'"{field}"' for field in GOOD.split(",")) + "\n",
    ],
)
def test_both_line_ends_a_bom_and_quotes_read_the_same(body: str) -> None:
    assert read(body) == read(f"{HEAD}\n{GOOD}\n")
    assert len(read(body).lines) == 1


def changed(name: str, value: str) -> str:
    fields = GOOD.split(",")
    fields[HEADER.index(name)] = value
    return ",".join(fields)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("receipt", "", "receipt: is missing"),
        ("receipt", "a b", "receipt: is not one"),
        ("side", "credit", "side: neither in nor out"),
        ("amount", "", "amount: is missing"),
        ("amount", "-5", "amount: is not one"),
        ("amount", "1e5", "amount: is not one"),
        ("amount", "1020.005", "amount: a fraction KES does not have"),
        ("amount", "0.00", "amount: is zero"),
        ("amount", "9" * 16, "amount: is not one"),
        ("fee", "x", "fee: is not one"),
        ("fee", "1020.01", "fee: more than the amount"),
        ("currency", "UGX", "currency: not KES"),
        ("counterparty", "Jane Doe", "counterparty: neither a number nor a masked one"),
        ("counterparty", "2547120*00001", "counterparty: neither a number nor a masked one"),
        ("completed_at", "2026-11-20", "completed_at: no offset from UTC"),
        ("completed_at", "yesterday", "completed_at: no time in ISO 8601"),
        ("completed_at", "2026-11-18T23:59:59+03:00", "completed_at: neither this day nor one"),
        ("completed_at", "0001-01-01T00:00:00+14:00", "completed_at: no time in ISO 8601"),
        ("balance", "5_000", "balance: is not one"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_with_its_line_and_never_repeated(
    name: str, value: str, why: str
) -> None:
    lines, faults = read(f"{HEAD}\n{GOOD}\n{changed(name, value)}\n")
    assert len(lines) == 1
    (fault,) = faults
    assert fault.number == 3
    assert why in fault.why
    assert not value or value not in fault.why


@pytest.mark.parametrize("typed", ["school fees", "Ada y’umwana", "ክፍያ", "=1+1", "x" * 128])
def test_what_a_customer_typed_refuses_no_file(typed: str) -> None:
    lines, faults = read(f"{HEAD}\n{GOOD}\n{changed('reference', typed)}\n")
    assert (faults, lines[1].reference) == ((), typed)
    assert read(write_statement(lines)).lines[1].reference == typed


def test_a_reference_of_blanks_is_none() -> None:
    (line,), _ = read(f"{HEAD}\n{changed('reference', '  ')}\n")
    assert line.reference is None


def test_a_fraction_is_refused_where_the_currency_has_none() -> None:
    bad = GOOD.replace("KES", "UGX").replace(",0.50,", ",,").replace("5000.25", "")
    _, faults = read(f"{HEAD}\n{bad.replace('1020.00', '1020.50')}\n", currency="UGX")
    assert faults == (Fault(2, "amount: a fraction UGX does not have"),)
    assert read(f"{HEAD}\n{bad}\n", currency="UGX").faults == ()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the header must be"),
        (b"receipt,amount\n", "the header must be"),
        (b"\xff\xfe\n", "not UTF-8"),
        (HEAD.encode() + b"\n\0\n", "zero byte"),
        ((HEAD + '\n"open').encode(), "no CSV from here on"),
        ((HEAD + "\na,b\n").encode(), "2 fields instead of 9"),
    ],
)
def test_what_is_no_neutral_file_is_refused(body: bytes, why: str) -> None:
    lines, faults = read(body)
    assert lines == ()
    assert why in faults[0].why


def test_a_file_too_large_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neutral, "BYTES_MAX", 10)
    assert "larger" in read(f"{HEAD}\n{GOOD}\n").faults[0].why


def test_one_bad_line_refuses_the_whole_file_and_all_bad_ones_are_named() -> None:
    body = f"{HEAD}\n{GOOD}\n{changed('side', '?')}\n{changed('amount', 'x')}\n".encode()
    with pytest.raises(Unreadable, match=r"line 3: side.*line 4: amount"):
        read_whole_statement("mpesa_ke", "KES", DAY, body, TERMS)


def test_very_many_bad_lines_are_counted() -> None:
    body = (HEAD + "\n" + "x\n" * 50).encode()
    with pytest.raises(Unreadable, match="and 30 lines more"):
        read_whole_statement("mpesa_ke", "KES", DAY, body, TERMS)


def test_a_file_without_lines_is_a_day_on_which_nothing_moved() -> None:
    assert read(HEAD + "\n") == ((), ())


def test_reading_what_was_written_gives_the_same_lines() -> None:
    lines = (
        line(reference="a,\"b'", fee_minor=50, counterparty="+2547*****001", balance_minor=-7),
        line("R2", side=Side.OUT, minor=1, at_ms=NOON + 1),
    )
    again, faults = read(write_statement(lines))
    assert faults == ()
    plain = [msg(got) for got in again]
    assert plain == [msg(wrote) for wrote in lines]


def msg(got: object) -> dict[str, object]:
    return {name: getattr(got, name) for name in got.__struct_fields__ if name != "raw_hash"}  # type: ignore[attr-defined]


def test_the_day_is_the_operators_own() -> None:
    late = changed("completed_at", "2026-11-20T22:30:00+00:00")  # the 21st in Nairobi
    assert read(f"{HEAD}\n{late}\n", day=date(2026, 11, 22)).faults == ()
    assert read(f"{HEAD}\n{late}\n", day=date(2026, 11, 19)).faults != ()

from collections.abc import Sequence

import pytest

from simulator.recording import Known, Recording
from simulator.redaction import Names, doubtful, name_codes, pattern_of
from simulator.transcript import parse, parse_step

PEOPLE = {"payer": "+254712000001", "payee": "+256772000002"}
PINS = {
    "payer": {"pin": "8305", "wrong_pin": "7391"},
    "payee": {"pin": "6402", "wrong_pin": "5917"},
}
PRICE = "Amount KES 1,000\nTotal KES 1,020"


def record(
    *taken: tuple[str, str | None], secrets: Sequence[str] = (), codes: Sequence[str] = ()
) -> str:
    """What is written of steps, each with the text that came."""
    recording = Recording(secrets=secrets)
    for line, came in taken:
        step = parse_step(line, 0, where="test")
        recording.add(step, step.person or "payer", came.split("\n") if came is not None else None)
    return recording.write(Known(PEOPLE, PINS, codes, frozenset({"Moses Ssali"})))


def body(written: str) -> list[str]:
    return written.split("\n\n", 1)[1].splitlines()


def test_a_recording_is_a_transcript_of_people_with_new_numbers() -> None:
    written = record(("dial *384*96#", "Welcome"), ("payee: type 1", "Bye\n\nNow"))
    assert written == (
        "# Recorded.\nphone payer +25471???????\nphone payee +25677???????\n\n"
        "payer: dial *384*96#\n| Welcome\npayee: type 1\n| Bye\n|\n| Now\n"
    )
    assert len(parse(written, name="it").steps) == 4


@pytest.mark.parametrize(
    ("typed", "came", "written"),
    [
        ("1000", PRICE, "1000"),  # shown as money: an amount
        ("1000", "Amount UGX 1 000", "1000"),
        ("1000", "Amount UGX 1\u202f000", "1000"),
        ("1000", "Amount KES 10,000", "{pin}"),
        ("1000", "Wrong PIN. Tries left: 2.", "{pin}"),
        ("1000", "1000 is no PIN", "{pin}"),
        ("8305", "Type the same 4 digits again", "{pin}"),
        ("830512", "Thank you", "{pin}"),
        ("83051234", "Thank you", "{pin}"),
        ("1111", "Too easy", "{weak_pin}"),
        ("6789", "Too easy", "{weak_pin}"),
        ("{pin}", "Thank you", "{pin}"),
        ("{wrong_pin}", "Wrong PIN", "{wrong_pin}"),
        ("12", "Thank you", "12"),
        ("4.50", "Thank you", "4.50"),
    ],
)
def test_digits_are_a_secret_unless_the_answer_shows_them_as_money(
    typed: str, came: str, written: str
) -> None:
    assert body(record((f"type {typed}", came)))[0] == f"payer: type {written}"


def test_each_persons_secrets_have_names_of_their_own_in_the_order_they_were_typed() -> None:
    lines = body(
        record(
            ("type 8888", "Too easy"), ("type 8305", "Again"), ("type 8305", "Done"),
            ("type 7391", "Wrong PIN"), ("payee: type 7391", "Again"), ("type 8305", "Done"),
            ("type 4826", "Wrong PIN"), ("type 5093", "Wrong PIN"), ("type 5094", "Locked"),
        )
    )  # fmt: skip
    assert [line.rsplit(" ", 1)[1] for line in lines if "type" in line] == [
        "{weak_pin}", "{pin}", "{pin}", "{wrong_pin}", "{pin}", "{pin}", "{third_pin}",
        "{fourth_pin}", "{weak_pin}",
    ]  # fmt: skip


def test_a_name_that_was_typed_as_such_is_nobody_elses() -> None:
    assert "payer: type {wrong_pin}" in body(record(("type {pin}", "Again"), ("type 4826", "No")))


def test_a_secret_is_one_wherever_it_stands() -> None:
    written = record(
        ("type 8305", "Your PIN is 8305, not 18305 or 83051"),
        ("dial *384*96*1*8305#", "8305"),
        ("text PIN 8305", None),
        ("payee: type 1", "They typed 8305"),
    )
    assert "8305" not in written.replace("18305", "").replace("83051", "")
    assert body(written)[:2] == ["payer: type {pin}", "| Your PIN is *, not 18305 or 83051"]
    assert "payer: dial *384*96*1*{pin}#" in written
    assert "payer: text PIN {pin}" in written


def test_what_the_user_calls_secret_is_one_though_it_is_no_pin() -> None:
    written = record(("type Blue Heron", "Hello Blue Heron"), secrets=["Blue Heron"])
    assert body(written) == ["payer: type {pin}", "| Hello *"]


def test_an_amount_in_a_message_is_looked_for_in_the_answers_to_it() -> None:
    lines = body(
        record(
            ("text SEND 5000 {payee}", None), ("sms payer", "Reply 1 to pay KES 5,000"),
            ("text 5000", None), ("sms payer", "Done"),
        )
    )  # fmt: skip
    assert lines[0] == "payer: text SEND {pin} {payee}", "in doubt: it was typed as a secret too"
    assert body(record(("text SEND 5000", None), ("sms payer", "Pay KES 5,000?")))[0] == (
        "payer: text SEND 5000"
    )


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("+256772000002", "{payee}"),
        ("256772000002", "{payee_digits}"),
        ("0712000001", "{payer_national}"),
        ("+256772000009", "{other2}"),
        ("0733000009", "{other2_national}"),
        ("SEND 50 256772000002", "SEND 50 {payee_digits}"),
    ],
)
def test_numbers_become_people(typed: str, written: str) -> None:
    found = record((f"type {typed}", f"To {typed}"))
    assert body(found)[0] == f"payer: type {written}"
    assert "000002" not in found
    assert "000009" not in found
    if "other2" in written:
        assert "\nphone other2 +2" in found


def test_an_example_that_somebody_typed_is_the_same_in_every_play() -> None:
    """A screen shows it whoever is paid, and each play draws another number to type."""
    example = "Number to pay\nWith country code, e.g. 256772000009"
    found = record(
        ("type 1", example),
        ("type 256772000009", "To +256772000009"),
        ("type 0", example),
        ("type 256772000008", "To +256772000008"),
    )
    assert body(found) == [
        "payer: type 1",
        "| Number to pay",
        "| With country code, e.g. *",
        "payer: type {other2_digits}",
        "| To *",
        "payer: type 0",
        "| Number to pay",
        "| With country code, e.g. *",
        "payer: type {other3_digits}",
        "| To {other3}",
    ]


def test_texts_hold_no_numbers_codes_times_or_names_of_wallets() -> None:
    written = record(
        ("sms payee", "7K2M9QX4TB Confirmed. UGX 28,023 from +254712000001 on 21/11/26 14:05."),
        ("sms +256772000002", "9Z2M9QX4TB, 7K2M9QX4TB and ABCDEFGHJK at 9:05 PM to 254*****001"),
        ("type 7K2M9QX4TB", "Call 256772009999, 1 KES = 28.0232 UGX"),
        ("type 1", "To Moses Ssali +256772000002 MTN MoMo"),
        codes=["ABCDEFGHJK"],
    )
    assert body(written) == [
        "sms payee",
        "| {code} Confirmed. UGX 28,023 from {payer} on *.",
        "sms payee",
        "| {code2}, {code} and {code3} at * to *",
        "payer: type {code}",
        "| Call *, 1 KES = 28.0232 UGX",
        "payer: type 1",
        "| To * {payee} MTN MoMo",
    ]


def test_a_page_that_was_sent_is_opened_by_its_name() -> None:
    lines = body(
        record(
            ("sms payer", "Pay at http://127.0.0.1:1/p/Ab1."),
            ("open http://127.0.0.1:1/p/Ab1", None),
        )
    )
    assert lines == ["sms payer", "| Pay at {page}.", "open {page}"]


def test_people_who_were_brought_by_a_step_stay_where_they_came() -> None:
    recording = Recording()
    for line in ("phone amina +256772000??? 64101", "handset other of amina"):
        recording.add(parse_step(line, 0, where="test"), "amina", None)
    people = {"amina": "+256772000111", "other": "+256772000111"}
    written = recording.write(Known(people, {}))
    assert written == ("# Recorded.\n\nphone amina +25677??????? 64101\nhandset other of amina\n")


def test_doubt_is_about_four_to_eight_digits_alone() -> None:
    assert doubtful("1234 123 123456789 1234.5 12345678", "") == ["1234", "12345678"]


def test_codes_that_were_captured_keep_their_names() -> None:
    named = name_codes(["A1B2C3D4E5 and F1B2C3D4E5"], {"code": "A1B2C3D4E5"})
    assert named == {"code": "A1B2C3D4E5", "code2": "F1B2C3D4E5"}


def test_a_pattern_keeps_the_network_and_no_subscriber() -> None:
    assert pattern_of("+254712000001") == "+25471???????"


def test_secrets_are_in_no_representation() -> None:
    names = Names()
    names.keep_secret("payer", "8305")
    assert "8305" not in repr(names)

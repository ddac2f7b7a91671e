"""What is typed by a rule of the screen's own, walked through whole turns of a menu."""

import pytest

from engine.menu.bundle import read_bundle
from engine.msisdn import Msisdn
from engine.septets import fits
from tests.unit.menu.cases import SOUND
from tests.unit.session.rooms import NETWORKS, PAYER, House

BUNDLE = read_bundle(SOUND)
CARD, COLOUR, NUMBER = ("9", "1"), ("9", "2"), ("9", "3")
PAYEE = "256772000002"
PAID = ("1", PAYEE, "1000", "1")


async def caller(language: str = "en") -> House:
    return await House(bundle=BUNDLE).registered(language)


async def shipped(language: str = "en") -> House:
    return await House().registered(language)


# By pattern, and between two numbers.


async def test_what_fits_the_pattern_is_kept_and_shown() -> None:
    house = await caller()
    assert (await house.press(*CARD)).text.startswith("Card, e.g. CM123")
    assert (await house.take("9*1* CM042 ")).text.startswith("Card CM042\nHow old?")
    assert house.session().answer == "CM042"


@pytest.mark.parametrize(
    "typed", ["CM04", "CM0421", "cm042", "CX042", "CM 042", "", "CM04²", "C" * 4_000, "98"]
)
async def test_what_does_not_fit_the_pattern_is_told_by_its_complaint(typed: str) -> None:
    house = await caller()
    await house.press(*CARD)
    told = await house.take(f"9*1*{typed}")
    assert told.text.startswith("Two letters, six digits.\nCard, e.g. CM123\n0 Back 00 Home")
    assert house.session().answer == ""


@pytest.mark.parametrize(("typed", "shown"), [("18", "18"), ("1200", "1,200"), ("1,100", "1,100"),
                                              ("1 100", "1,100"), ("0042", "42")])  # fmt: skip
async def test_a_number_within_its_range_is_taken_as_people_write_it(
    typed: str, shown: str
) -> None:
    house = await caller()
    await house.press(*CARD, "CM042")
    assert (await house.take(f"9*1*CM042*{typed}")).text.startswith(f"Of age {shown}\n")


@pytest.mark.parametrize(
    "typed",
    ["17", "1201", "-20", "20.0", "20,5", "1,1,00", "11,00", "twenty", "२०", "²⁰", "", "1e3",
     "9" * 5_000, "1 100,200"],
)  # fmt: skip
async def test_any_other_number_is_told_the_range(typed: str) -> None:
    house = await caller()
    await house.press(*CARD, "CM042")
    told = await house.take(f"9*1*CM042*{typed}")
    assert told.text.startswith("From 18 to 1,200.\nHow old?\n0 Back 00 Home")
    assert house.session().answer == "CM042"


async def test_back_and_home_are_never_taken_for_an_answer() -> None:
    house = await caller()
    await house.press(*CARD, "CM042")
    assert (await house.take("9*1*CM042*0")).text.startswith("Card, e.g.")
    assert (await house.take("9*1*CM042*0*00")).text.startswith("Menu\n1. Send")


# One of a few words.


@pytest.mark.parametrize(
    ("language", "typed"),
    [("en", "2"), ("en", "Dark green"), ("en", "DARKGREEN"), ("en", " dark-green! "),
     ("en", "Dárk grëen"), ("sw", "kijani  kibichi"), ("sw", "2"), ("sw", "dark green"),
     ("am", "አረንጓዴ"), ("am", "2")],
)  # fmt: skip
async def test_a_word_is_known_by_its_number_or_however_it_is_written(
    language: str, typed: str
) -> None:
    house = await caller(language)
    await house.press(*COLOUR)
    await house.take(f"9*2*{typed}")
    assert house.session().screen == "form.done"


@pytest.mark.parametrize("typed", ["3", "00002", "", "Dark", "green", "kijani kibichi", "!",
                                   "Dark green " * 900, "98"])  # fmt: skip
async def test_any_other_word_is_told_to_choose_and_shown_the_words_again(typed: str) -> None:
    house = await caller()
    await house.press(*COLOUR)
    told = await house.take(f"9*2*{typed}")
    assert told.text == (
        "One of these, please.\nWhich colour?\n1. Red\n2. Dark green\n0 Back 00 Home"
    )
    assert house.session().screen == "form.colour"


# A verb that says yes, or what is wrong.


async def test_a_name_that_another_number_has_is_complained_of_and_changes_nothing() -> None:
    house = await caller()
    customer = house.customers.known[PAYER]
    await house.customers.save_recipient(customer.customer_id, Msisdn("+256772000009"), "Mary")
    await house.press(*NUMBER, PAYEE)
    told = await house.take(f"9*3*{PAYEE}*mary")
    assert told.text.startswith("That name is taken.\nA name")
    assert house.customers.saved[customer.customer_id] == {Msisdn("+256772000009"): "Mary"}
    assert (await house.take(f"9*3*{PAYEE}*mary*Maria")).text.startswith("Done")
    assert house.customers.saved[customer.customer_id][Msisdn(f"+{PAYEE}")] == "Maria"


async def test_what_the_reader_refuses_is_not_checked() -> None:
    house = await caller()
    asked = house.customers.recipients

    async def recipients(_: object) -> list[object]:
        raise AssertionError("nobody asks about what is no name")

    await house.press(*NUMBER, PAYEE)
    house.customers.recipients = recipients  # type: ignore[assignment,method-assign]
    assert (await house.take(f"9*3*{PAYEE}*5")).text.startswith("Letters first.")
    house.customers.recipients = asked  # type: ignore[method-assign]


# In the shipped menus.


@pytest.mark.parametrize(
    ("typed", "reason"),
    [("1", "not_arrived"), ("2", "wrong_amount"), ("not my payment", "not_mine"), ("4", "other")],
)
async def test_a_problem_is_reported_with_what_is_wrong(typed: str, reason: str) -> None:
    house = await shipped()
    await house.press(*PAID, "4826")
    asked = await house.press("3", "1", "3", session_id="s2")
    assert asked.text == (
        "What is wrong\nwith CAPP000001?\n1. Not arrived\n2. Wrong amount\n3. Not my payment\n"
        "4. Something else\n0 Back 00 Home"
    )
    told = await house.take(f"3*1*3*{typed}", "s2")
    assert told.text.startswith("We look into CAPP000001.\nYour case is C1.")
    assert house.payments.reasons == [reason]


async def test_a_report_is_not_made_by_a_dial_string_and_not_by_another_word() -> None:
    house = await shipped()
    await house.press(*PAID, "4826")
    assert (await house.take("3*1*3*1", "s2")).ends
    await house.press("3", "1", "3", session_id="s3")
    text = "3*1*3"
    for typed in ("5", "yes", ""):
        text = f"{text}*{typed}"
        told = await house.take(text, "s3")
        assert told.text.startswith("Please choose one of these.\nWhat is wrong?\n1. Not arrived")
        assert fits(told.text, NETWORKS.of("63902").budget_septets)
    assert house.payments.reported == []


async def test_two_saved_numbers_never_have_one_name() -> None:
    house = await shipped()
    await house.press("5", "4", "1", PAYEE, "Mary")
    told = await house.press("5", "4", "1", "256772000003", "MARY", session_id="s2")
    assert told.text.startswith("Another number has that name.\n+256772000003\nType a name")
    # The same number may be written anew.
    again = await house.press("5", "4", "2", "1", "Mary", session_id="s3")
    assert again.text.startswith("Saved: Mary +256772000002")

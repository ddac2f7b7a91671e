from engine.msisdn import Msisdn
from engine.traffic.veil import Veil

PAYER = Msisdn("+254712000001")


def test_a_number_is_hidden_however_its_beginning_is_written() -> None:
    veil = Veil([PAYER])
    for text in ("+254712000001", "254712000001", "0712000001", "712000001", "ws_CO_9712000001"):
        assert "12000001" not in veil.text(text)
        assert veil.text(text).endswith("*****001")


def test_it_is_hidden_everywhere_in_a_message() -> None:
    said = {"a": [{"712000001": "to 712000001"}], "n": 254712000001, "amount": 12, "ok": True}
    assert Veil([PAYER]).value(said) == {
        "a": [{"7*****001": "to 7*****001"}], "n": "2547*****001", "amount": 12, "ok": True,
    }  # fmt: skip


def test_other_numbers_stay_and_without_numbers_nothing_is_hidden() -> None:
    assert Veil([PAYER]).text("712000002") == "712000002"
    assert Veil().value({"n": 254712000001}) == {"n": 254712000001}
    assert Veil([PAYER]).maybe(None) is None

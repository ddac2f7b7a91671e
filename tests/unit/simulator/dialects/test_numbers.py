import pytest

from simulator.dialects.numbers import bare_code, network_of, split_code, word_of


@pytest.mark.parametrize(
    ("dialled", "code", "text"),
    [
        ("*384*96#", "*384*96#", ""),
        ("*384*96*1#", "*384*96#", "1"),
        ("*384*96*1*500#", "*384*96#", "1*500"),
        ("*384*961#", "*384*961#", ""),
        ("*100#", "*100#", ""),
        ("*384*96*1", "*384*96*1", ""),
        ("*384*96*7*1#", "*384*96*7#", "1"),
    ],
)
def test_what_is_dialled_beyond_a_published_code_is_text(
    dialled: str, code: str, text: str
) -> None:
    assert split_code(dialled, ("*384*96#", "*384*96*7#")) == (code, text)


@pytest.mark.parametrize(
    ("msisdn", "code", "word"),
    [
        ("+254712000001", "63902", "Safaricom"),
        ("+256772000001", "64110", "MTN"),
        ("+233240000001", "62001", "MTN"),
        ("+233200000001", "62002", "Vodafone"),
        ("+233270000001", "62006", "AirtelTigo"),
        ("+33600000001", "99999", ""),
    ],
)
def test_a_number_has_a_usual_network(msisdn: str, code: str, word: str) -> None:
    assert network_of(msisdn) == code
    assert word_of(code) == word


def test_what_is_no_code_is_a_networks_word_already() -> None:
    assert word_of("Glo") == "Glo"


def test_a_bare_code_has_no_star_before_and_no_hash_behind() -> None:
    assert bare_code("*713*4#") == "713*4"

from simulator.dialects import DIALECTS
from simulator.places import Places
from simulator.ussd import Line


def test_a_line_knows_its_gateway_and_what_is_published() -> None:
    places = Places("http://s", "http://s/ussd", "", ussd_end_url="http://s/end", dialect="hubtel")
    assert places.line("+233240000001", "62002") == Line(
        "+233240000001", "http://s/ussd", "http://s/end", ("*384*96#",), "62002",
        DIALECTS["hubtel"],
    )  # fmt: skip


def test_without_a_short_code_whatever_is_dialled_is_the_code() -> None:
    places = Places("", "http://any/", "", shortcode="")
    assert places.line("+254712000001").shortcodes == ()

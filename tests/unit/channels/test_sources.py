"""Where a callback came from: only our own proxies are believed, and only about their callers."""

from contextlib import suppress
from typing import Any

import pytest

from channels.api.pace import pace_of_staff
from channels.api.problems import Refusal
from channels.commands.doctor import CHECKS
from channels.settings import ApiPaces, read_settings
from channels.sources import UNKNOWN, Sources, counted_as, read_networks
from channels.web.limits import Limits
from channels.web.strangers import Strangers
from tests.integration.staff_room import RedisAway
from tests.unit.channels.test_settings import GOOD

PROXIES = read_networks(["10.0.0.0/8", "2001:db8:aaaa::/48"])
OURS, OTHER_OF_OURS, THEIRS, LIAR = "10.0.0.1", "10.9.9.9", "196.201.214.200", "203.0.113.66"


def scope(peer: str | None, *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "client": (peer, 4711) if peer else None,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


XFF, FORWARDED = "x-forwarded-for", "forwarded"

BEHIND_PROXIES = [
    ("a proxy names its caller", OURS, [(XFF, THEIRS)], THEIRS),
    ("two proxies of ours", OURS, [(XFF, f"{THEIRS}, {OTHER_OF_OURS}")], THEIRS),
    ("what the caller wrote itself", OURS, [(XFF, f"{THEIRS}, {LIAR}")], LIAR),
    ("on a line of its own", OURS, [(XFF, THEIRS), (XFF, LIAR)], LIAR),
    ("nobody between", LIAR, [(XFF, THEIRS)], LIAR),
    ("the standard header", OURS, [(FORWARDED, f"for={THEIRS};proto=https")], THEIRS),
    ("in quotes, with a port", OURS, [(FORWARDED, f'proto=https;For="{THEIRS}:8443"')], THEIRS),
    ("the standard one forged in front", OURS, [(FORWARDED, f"for={THEIRS}, for={LIAR}")], LIAR),
    ("IPv6", OURS, [(FORWARDED, 'for="[2001:db8::7]:443"')], "2001:db8::7"),
    ("IPv6 as it stands", "2001:db8:aaaa::1", [(XFF, "2001:db8::7")], "2001:db8::7"),
    ("IPv4 in IPv6", f"::ffff:{OURS}", [(XFF, f"::ffff:{THEIRS}")], THEIRS),
    ("both, and they agree", OURS, [(XFF, THEIRS), (FORWARDED, f"for={THEIRS}")], THEIRS),
    # One of the two can be the caller's own, passed on by a proxy that writes the other.
    ("both, and they differ", OURS, [(XFF, LIAR), (FORWARDED, f"for={THEIRS}")], UNKNOWN),
    ("a proxy that names nobody", OURS, [], UNKNOWN),
    ("only proxies", OURS, [(XFF, OTHER_OF_OURS)], UNKNOWN),
    ("no address", OURS, [(XFF, f"{THEIRS}, unknown")], UNKNOWN),
    ("hidden", OURS, [(FORWARDED, f"for={THEIRS}, for=_hidden")], UNKNOWN),
    ("without for", OURS, [(FORWARDED, f"for={THEIRS}, proto=https")], UNKNOWN),
    ("empty", OURS, [(XFF, "")], UNKNOWN),
    ("very long", OURS, [(XFF, ",".join([THEIRS, *[OTHER_OF_OURS] * 1000]))], UNKNOWN),
    ("a socket without a name", None, [(XFF, THEIRS)], UNKNOWN),
    ("a socket whose name is no address", "unix", [(XFF, THEIRS)], UNKNOWN),
]


@pytest.mark.parametrize(
    ("peer", "headers", "source"),
    [c[1:] for c in BEHIND_PROXIES],
    ids=[c[0] for c in BEHIND_PROXIES],
)
def test_the_source_behind_our_proxies_is(
    peer: str | None, headers: list[tuple[str, str]], source: str
) -> None:
    assert Sources({}, PROXIES).of(scope(peer, *headers)) == source


def test_without_proxies_of_ours_nobody_is_believed_about_anybody() -> None:
    assert Sources({}).of(scope(LIAR, (XFF, THEIRS), (FORWARDED, f"for={THEIRS}"))) == LIAR


ADMITTED = [
    ("mpesa_ke", THEIRS, True),
    ("mpesa_ke", f"::ffff:{THEIRS}", True),
    ("mpesa_ke", "196.201.215.1", False),
    ("mpesa_ke", "2001:db8:1::5", True),
    ("mpesa_ke", "2001:db8:2::5", False),
    ("mpesa_ke", LIAR, False),
    ("mpesa_ke", UNKNOWN, False),
    ("mpesa_ke", "a word", False),
    ("mtn_ug", LIAR, True),
    ("mtn_ug", UNKNOWN, True),
    ("airtel_ug", LIAR, True),
]


@pytest.mark.parametrize(("operator", "source", "admitted"), ADMITTED)
def test_an_operator_with_a_list_may_call_from_there_alone(
    operator: str, source: str, admitted: bool
) -> None:
    kenyan = read_networks(["196.201.214.0/24", "2001:db8:1::/48"])
    sources = Sources({"mpesa_ke": kenyan, "mtn_ug": ()})
    assert sources.admits(operator, source) is admitted


@pytest.mark.parametrize("word", ["196.201.214.1/24", "a.b.c.d", "", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"network|address|host bits"):
        read_networks([word])


async def test_doctor_says_who_may_call_from_anywhere() -> None:
    listed = {
        **GOOD,
        "CAPP_MPESA_KE_CALLBACK_SOURCES": "196.201.214.0/24,196.201.213.44",
        "CAPP_TRUSTED_PROXIES": "10.0.0.0/8",
    }
    check = CHECKS["callback sources"]
    said = await check(read_settings(listed))
    assert "mpesa_ke may call from 2 networks" in said
    assert "from anywhere: mtn_ug" in said
    assert "1 networks of proxies are believed" in said
    alone = await check(read_settings(GOOD))
    assert "from anywhere: mpesa_ke, mtn_ug" in alone
    assert "no proxy is believed" in alone


@pytest.mark.parametrize(
    ("source", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:DB8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", "2001:db8:0:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (UNKNOWN, UNKNOWN),
        ("testclient", "testclient"),
    ],
)
def test_who_has_a_whole_network_of_ipv6_is_counted_as_one(source: str, counted: str) -> None:
    assert counted_as(source) == counted


async def test_many_addresses_of_one_network_knock_no_oftener_than_one() -> None:
    def limits() -> Limits:
        return Limits(RedisAway(), key=b"k" * 16, monotonic=lambda: 0.0)

    pace = pace_of_staff(limits(), ApiPaces(unproven_per_5_minutes=4))
    strangers = Strangers(limits(), 4, monotonic=lambda: 0.0)
    addresses = [f"2001:db8:0:1::{number:x}" for number in range(10)]
    heard = []
    for address in addresses:
        with suppress(Refusal):
            await pace.knock(address)
            await pace.not_proven(address)
            heard.append(address)
    assert heard == addresses[:4]
    away = [await strangers.away_seconds(address) for address in addresses]
    assert [seconds > 0 for seconds in away] == [False] * 4 + [True] * 6
    await pace.knock("2001:db8:0:2::1")  # a neighbour
    assert await strangers.away_seconds("2001:db8:0:2::1") == 0

"""Messages to strangers' addresses: who is never called, whatever names and answers say."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.errors import OutcomeUnknown, ProviderError, Unreachable
from engine.ports import HookAnswer, HookMessage
from providers.http import Exchange
from providers.public_addresses import is_public
from providers.webhooks import Webhooks
from tests.certificates import pem_for
from tests.providers.company import CUT_SHORT, NOT_HTTP, Answer, Company, Raw, closed_port, opened

BODY = b'{"type":"payment.paid"}'
PATIENT_SECONDS = 20.0


def message(url: str) -> HookMessage:
    return HookMessage(url, "e" * 32, 1_700_000_000, "v1,c2lnbmVk", BODY)


@asynccontextmanager
async def local(traced: list[Exchange] | None = None) -> AsyncIterator[Webhooks]:
    """As for development: 127.0.0.1 may be called."""
    trace = traced.append if traced is not None else lambda _: None
    carrier = Webhooks(local=True, answer_seconds=PATIENT_SECONDS, trace=trace)
    try:
        yield carrier
    finally:
        await carrier.aclose()


# What a message looks like, and what its answer means.


async def test_a_message_carries_the_three_headers_and_exactly_its_body(company: Company) -> None:
    company.on("/hook", Answer(204))
    async with local() as carrier:
        answer = await carrier.deliver(message(company.url + "/hook?shop=7"))
    assert answer == HookAnswer(204)
    (request,) = company.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?shop=7", BODY)
    assert request.headers["webhook-id"] == "e" * 32
    assert request.headers["webhook-timestamp"] == "1700000000"
    assert request.headers["webhook-signature"] == "v1,c2lnbmVk"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == urlsplit(company.url).netloc


@pytest.mark.parametrize("status", [200, 302, 307, 400, 410, 500])
async def test_any_answer_is_handed_back_and_no_redirect_is_followed(
    company: Company, status: int
) -> None:
    company.on("/hook", Answer(status, headers=(("Location", company.url + "/elsewhere"),)))
    async with local() as carrier:
        assert (await carrier.deliver(message(company.url + "/hook"))).status == status
    assert [request.path for request in company.requests] == ["/hook"]


@pytest.mark.parametrize(("status", "waits"), [(429, 60.0), (503, 60.0), (500, None), (200, None)])
async def test_who_asks_to_be_left_alone_is_heard_where_the_status_says_so(
    company: Company, status: int, waits: float | None
) -> None:
    company.on("/hook", Answer(status, headers=(("Retry-After", "60"),)))
    async with local() as carrier:
        answer = await carrier.deliver(message(company.url + "/hook"))
    assert answer == HookAnswer(status, waits)


@pytest.mark.parametrize(
    ("reaction", "failure"),
    [
        pytest.param(Raw(then="hold"), "ReadTimeout", id="silent"),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\nX-Slow: loris" + b"s" * 99, pause_seconds=0.05),
            "ReadTimeout", id="its head drips",
        ),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"s" * 99, pause_seconds=0.05),
            "ReadTimeout", id="its body drips",
        ),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\n" + b"X-More: more\r\n" * 9000, then="hold"),
            "ReadError", id="its head never ends",
        ),
        pytest.param(CUT_SHORT, "ReadError", id="cut short"),
        pytest.param(NOT_HTTP, "RemoteProtocolError", id="not HTTP"),
        pytest.param(Raw(then="reset"), "ReadError", id="reset"),
    ],
)  # fmt: skip
async def test_no_answer_in_time_is_an_unknown_outcome_that_says_why(
    company: Company, traced: list[Exchange], reaction: Raw, failure: str
) -> None:
    company.on("/hook", reaction)
    async with local(traced) as carrier, asyncio.timeout(5 * PATIENT_SECONDS):
        with pytest.raises(OutcomeUnknown) as caught:
            await carrier.deliver(message(company.url + "/hook"))
    assert caught.value.code == failure
    assert [(e.provider, e.status, e.failure) for e in traced] == [("webhooks", None, failure)]


@pytest.mark.parametrize("sent", [1_100, 1_000_000])
async def test_a_megabyte_of_answer_is_not_read_and_its_status_counts(
    company: Company, sent: int
) -> None:
    """Nor is what comes of it later taken for the answer to the next message."""
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * sent
    company.on("/hook", Raw(large, then="hold"))
    async with local() as carrier:
        for _ in range(2):
            assert (await carrier.deliver(message(company.url + "/hook"))).status == 200
        assert company.connections == 2
        await company.until_open(0)


async def test_a_short_answer_leaves_the_connection_for_the_next_message(company: Company) -> None:
    company.on("/hook", Answer(200, body=b"x" * 1024))
    async with local() as carrier:
        for _ in range(3):
            await carrier.deliver(message(company.url + "/hook"))
    assert company.connections == 1


async def test_a_closed_port_is_unreachable() -> None:
    async with local() as carrier:
        with pytest.raises(Unreachable) as caught:
            await carrier.deliver(message(f"http://127.0.0.1:{closed_port()}/hook"))
    assert caught.value.code == "ConnectError"


# Addresses that are refused as they are written.

REFUSED = [
    "http://shop.example/hook",
    "http://127.0.0.1/hook",
    "https://127.0.0.1/hook",
    "https://[::1]/hook",
    "https://[::ffff:127.0.0.1]/hook",
    "https://[::ffff:a9fe:a9fe]/hook",
    "https://[fe80::1%25eth0]/hook",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.1.2.3/",
    "https://shop.example:22/hook",
    "https://shop.example:6379/hook",
    "https://shop.example:0/hook",
    "https://user@shop.example/hook",
    "https://user:word@shop.example/hook",
    "https://@shop.example/hook",
    "https://shop.example\\@127.0.0.1/hook",
    "https://shop.example/hook#part",
    "https://shop.example/a b",
    "https://shop.example/\r\nHost: other",
    "https://shöp.example/",
    "https:///hook",
    "https://",
    "ftp://shop.example/hook",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//shop.example/hook",
    "shop.example",
    "",
    "https://shop.example/" + "a" * 1024,
    "https://[::1/hook",
    "https://shop.example:port/",
    "https://xn--/hook",
    "https://xn--a.example/hook",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_an_address_against_the_rules_is_refused_before_anybody_is_asked(url: str) -> None:
    asked: list[str] = []

    async def look(host: str) -> Sequence[str]:
        asked.append(host)
        return ["93.184.216.34"]

    carrier = Webhooks(look=look)
    assert carrier.fault_in(url)
    with pytest.raises(Unreachable) as caught:
        await carrier.deliver(message(url))
    assert caught.value.code == "Forbidden"
    assert asked == []
    await carrier.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/hook?shop=7&at=a@b",
        "https://shop.example:8443/hook",
        "https://xn--shp-sna.example/hook",
        "https://93.184.216.34/hook",
        "https://[2606:2800:220:1::1]/hook",
    ],
)
async def test_an_ordinary_address_is_taken(url: str) -> None:
    carrier = Webhooks()
    assert carrier.fault_in(url) == ""
    await carrier.aclose()


OTHERS = [
    "http://shop.example/", "http://127.0.0.2/", "https://10.0.0.1/", "http://localhost/",
    "http://[::1]/", "https://shop.example:22/",
]  # fmt: skip


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/hook", "https://127.0.0.1:9/"])
async def test_development_opens_127_0_0_1_and_nothing_else(url: str) -> None:
    async with local() as carrier:
        assert carrier.fault_in(url) == ""
        for other in OTHERS:
            assert carrier.fault_in(other)


# Where names lead.

CLOSED = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1",
    "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1",
    "ff02::1", "5f00::1", "not an address", "",
]  # fmt: skip
OPEN = [
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.255.255",
    "172.32.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::200e",
    "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip


@pytest.mark.parametrize("address", CLOSED)
async def test_a_name_that_leads_inside_is_never_called(address: str) -> None:
    """Not even if a public address stands before it."""
    for answer in ([address], ["93.184.216.34", address], [address, "93.184.216.34"]):

        async def look(_: str, answer: list[str] = answer) -> Sequence[str]:
            return answer

        carrier = Webhooks(look=look)
        with pytest.raises(Unreachable) as caught:
            await carrier.deliver(message("https://shop.example/hook"))
        assert caught.value.code == "Forbidden"
        await carrier.aclose()


@pytest.mark.parametrize("address", OPEN)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_nothing_that_python_calls_private_or_multicast_is_public() -> None:
    """Another list than ours, on the edges of every network of ours and beyond."""
    edges = [a for a in CLOSED + OPEN if a and a != "not an address" and "%" not in a]
    for text in edges:
        address = ip_address(text)
        near = {int(address) + step for step in (-1, 0, 1, 255, 65536)}
        for number in near:
            if not 0 <= number < 2**address.max_prefixlen:
                continue
            other = type(address)(number)
            if other.is_private or other.is_multicast or other.is_reserved or other.is_loopback:
                if other.version == 6 and (other.ipv4_mapped or str(other).startswith("64:ff9b::")):
                    continue  # it counts what is inside
                assert not is_public(str(other)), other


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
async def test_other_ways_to_write_our_own_host_lead_nowhere(host: str) -> None:
    """By the system's own resolver, which reads all of them."""
    carrier = Webhooks()
    with pytest.raises(Unreachable) as caught:
        await carrier.deliver(message(f"https://{host}/hook"))
    assert caught.value.code in ("Forbidden", "ConnectError")
    await carrier.aclose()


@pytest.fixture(scope="module")
def shop_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server that is shop.example, and who trusts it."""
    pem = pem_for(tmp_path_factory.mktemp("tls"), "shop.example")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


async def test_a_name_that_changes_after_it_was_checked_changes_nothing(
    shop_tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """127.0.0.2 is the public internet of this test. Rebound to us, the name is never called."""
    server, trust = shop_tls
    answers = [["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2", "127.0.0.1"]]
    looked: list[str] = []

    async def look(host: str) -> Sequence[str]:
        looked.append(host)
        return answers.pop(0)

    async with opened("127.0.0.2", server) as shop:
        port = urlsplit(shop.url).port
        assert port is not None
        carrier = Webhooks(
            ports=frozenset({port}), look=look, is_open=lambda a: a == "127.0.0.2",
            ssl_context=trust, answer_seconds=PATIENT_SECONDS,
        )  # fmt: skip
        shop.on("/hook", Answer(200, headers=(("Connection", "close"),)))
        url = f"https://shop.example:{port}/hook"
        assert (await carrier.deliver(message(url))).status == 200
        assert looked == ["shop.example"]  # once: what was checked is what was called
        assert shop.requests[0].headers["host"] == f"shop.example:{port}"
        for _ in range(2):
            with pytest.raises(Unreachable) as caught:
                await carrier.deliver(message(url))
            assert caught.value.code == "Forbidden"
        assert len(shop.requests) == 1
        await carrier.aclose()


async def test_a_certificate_must_be_the_hosts_whatever_its_address(
    shop_tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, trust = shop_tls

    async def look(_: str) -> Sequence[str]:
        return ["127.0.0.2"]

    async with opened("127.0.0.2", server) as shop:
        port = urlsplit(shop.url).port
        assert port is not None
        shop.on("/hook", Answer(200))
        for host, trusted in (("other.example", trust), ("shop.example", None)):
            carrier = Webhooks(
                ports=frozenset({port}), look=look, is_open=lambda _: True, ssl_context=trusted
            )
            with pytest.raises(Unreachable):
                await carrier.deliver(message(f"https://{host}:{port}/hook"))
            await carrier.aclose()
        assert shop.requests == []


async def test_a_name_with_letters_of_its_own_is_looked_up_and_proven_as_it_is_written(
    tmp_path: Path,
) -> None:
    """By the rules of 2003 straße.de would be strasse.de, another shop."""
    asked: list[str] = []

    async def look(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.2"]

    heard = {}
    for host in ("xn--strae-oqa.de", "strasse.de"):
        pem = pem_for(tmp_path, host)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pem)
        async with opened("127.0.0.2", server) as shop:
            port = urlsplit(shop.url).port
            assert port is not None
            shop.on("/hook", Answer(200))
            carrier = Webhooks(
                ports=frozenset({port}), look=look, is_open=lambda _: True,
                ssl_context=ssl.create_default_context(cafile=str(pem)),
            )  # fmt: skip
            with suppress(Unreachable):
                await carrier.deliver(message(f"https://xn--strae-oqa.de:{port}/hook"))
            await carrier.aclose()
            heard[host] = len(shop.requests)
    assert heard == {"xn--strae-oqa.de": 1, "strasse.de": 0}
    assert set(asked) == {"xn--strae-oqa.de"}


async def test_an_address_that_refuses_is_followed_by_the_next_one_of_the_host(
    shop_tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, trust = shop_tls

    async def look(_: str) -> Sequence[str]:
        return ["127.0.0.3", "127.0.0.2"]

    async with opened("127.0.0.2", server) as shop:
        port = urlsplit(shop.url).port
        assert port is not None
        shop.on("/hook", Answer(200))
        carrier = Webhooks(
            ports=frozenset({port}), look=look, is_open=lambda _: True, ssl_context=trust
        )
        url = f"https://shop.example:{port}/hook"
        assert (await carrier.deliver(message(url))).status == 200
        await carrier.aclose()


async def test_a_host_without_an_address_or_a_name_server_is_unreachable() -> None:
    async def nothing(_: str) -> Sequence[str]:
        return []

    async def away(_: str) -> Sequence[str]:
        raise OSError("no name server")

    for look in (nothing, away):
        carrier = Webhooks(look=look)
        with pytest.raises(Unreachable):
            await carrier.deliver(message("https://shop.example/hook"))
        await carrier.aclose()


async def test_no_error_and_no_repr_holds_the_address_or_the_body(company: Company) -> None:
    """An address may hold a token of the business."""
    company.on("/sesame", Raw(then="reset"))
    sent = message(company.url + "/sesame")
    async with local() as carrier:
        with pytest.raises(ProviderError) as caught:
            await carrier.deliver(sent)
    for text in (str(caught.value), repr(sent)):
        assert "sesame" not in text
        assert "payment.paid" not in text

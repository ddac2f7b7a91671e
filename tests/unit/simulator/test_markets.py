"""The operators a stack can run: what the server is told of each, and its part of the seed."""

from pathlib import Path

import pytest

from channels.commands.seed import read_seeds
from channels.settings import read_settings
from engine.clock import Clock
from engine.ports import FixedAddressPort
from providers.registry import build_operators
from simulator.dialects.numbers import network_of
from simulator.homes import currency_of, homes_of, name_of
from simulator.installation import (
    Ports,
    choose_ports,
    folder_of,
    places_of,
    rate_sources_of,
    read_secrets,
    server_environment,
)
from simulator.markets import EVERY, MARKETS, read_markets
from simulator.operators.mpesa import MpesaSandbox, MpesaSettings
from simulator.operators.world import World
from simulator.seeding import write_seed


def _environment(folder: Path) -> dict[str, str]:
    """What a server of all ten is told, with a certificate as the sandbox makes it."""
    keys = read_secrets(folder / "demo.env")
    ports = choose_ports(Ports(), MARKETS.values(), lambda line: None)
    places = places_of(ports, keys)
    file = folder / "mpesa.pem"
    mpesa = MpesaSandbox(World(), MpesaSettings(), collection_minor=0, disbursement_minor=0)
    file.write_bytes(mpesa.initiator.certificate_pem())
    told = server_environment(places, keys, rate_sources_of(ports))
    databases = {"DATABASE_URL": "postgresql://nowhere", "REDIS_URL": "redis://nowhere"}
    return {**databases, **told, "CAPP_MPESA_KE_CERTIFICATE": str(file)}


async def test_the_server_can_call_every_operator_with_what_it_is_told(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    settings = read_settings(environment)
    assert settings.operators == EVERY
    built = build_operators(environment, clock=Clock(), names=settings.operators)
    for name, port in built.items():
        market = MARKETS[name]
        facts = port.facts
        assert (facts.country, facts.currency) == (market.country, market.currency)
        assert facts.can_collect, name
        assert facts.collects_by_link == market.by_link, name
        assert isinstance(port, FixedAddressPort) == bool(market.fixed_address), name
        await port.aclose()


def test_people_have_wallets_in_every_market() -> None:
    for market in MARKETS.values():
        number = f"{market.dialling_code}700000000"
        assert currency_of(number) == market.currency, f"{market.name}: its country in homes.py"
        assert market.name in homes_of(number, EVERY), market.name


def test_no_two_sandboxes_want_one_port() -> None:
    assert len({market.port for market in MARKETS.values()}) == len(MARKETS)


def test_each_of_a_stack_has_a_port_of_its_own_and_only_they_have_one() -> None:
    markets = read_markets("mtn_zm, mtn_gh")
    ports = choose_ports(Ports(), markets, lambda line: None)
    assert {*ports.operators} == {"mtn_gh", "mtn_zm"}
    numbers = [*ports.operators.values(), ports.web, ports.gateway, ports.postgres, ports.redis]
    assert len({*numbers}) == len(numbers)
    assert 0 not in numbers


@pytest.mark.parametrize("words", ["mtn_xx", "", "mpesa_ke,airtel"])
def test_an_operator_that_nobody_plays_is_named(words: str) -> None:
    with pytest.raises(ValueError, match=words.split(",")[-1] or "at least one"):
        read_markets(words)


def test_a_smaller_stack_is_seeded_with_its_own_part(tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    write_seed(file, {"mtn_ng", "mtn_gh", "orange_ci"})
    seeds = read_seeds(file)
    ends = {(c.payer_operator, c.payee_operator) for c in seeds.corridors}
    assert ends == {("mtn_ng", "mtn_gh"), ("mtn_gh", "mtn_ng")}
    assert {paid_in.operator for paid_in in seeds.floats} == {"mtn_ng", "mtn_gh"}


def test_nobody_begins_with_more_than_there_is_at_the_operator(tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    write_seed(file, EVERY)
    seeded = {paid_in.operator: paid_in.minor for paid_in in read_seeds(file).floats}
    assert seeded.keys() == {m.name for m in MARKETS.values() if m.float_minor}
    for name, minor in seeded.items():
        assert minor <= MARKETS[name].float_minor


@pytest.mark.parametrize(
    ("msisdn", "home", "currency"),
    [
        ("+254712000001", "mpesa_ke", "KES"),
        ("+254731000001", "airtel_ke", "KES"),
        ("+260951000001", "zamtel_zm", "ZMW"),
        ("+260971000001", "airtel_zm", "ZMW"),
        ("+260961000001", "mtn_zm", "ZMW"),
        ("+2250710000001", "orange_ci", "XOF"),
        ("+255712000001", None, ""),
    ],
)
def test_a_number_is_at_home_first_and_anywhere_in_its_country(
    msisdn: str, home: str | None, currency: str
) -> None:
    homes = homes_of(msisdn, EVERY)
    assert homes[:1] == ([home] if home else [])
    assert {name.rsplit("_", 1)[1] for name in homes} <= {(home or "").rsplit("_", 1)[-1]}
    assert currency_of(msisdn) == currency


@pytest.mark.parametrize(
    ("address", "is_the_same"),
    [
        ("postgresql://db.example.org/capp", True),
        ("postgres://capp@DB.example.org/capp?sslmode=verify-full", True),
        ("postgresql://other:new@db.example.org:5432/capp", True),
        ("postgresql://capp:secret@db.example.org:5433/capp", False),
        ("postgresql://capp:secret@db.example.org/other", False),
        ("postgresql:///capp?host=/run/postgresql", False),
    ],
)
def test_what_belongs_to_a_database_is_found_by_whoever_connects_to_it(
    address: str, is_the_same: bool
) -> None:
    named = folder_of("postgresql://capp:secret@db.example.org:5432/capp")
    assert "secret" not in named
    assert (folder_of(address) == named) == is_the_same


@pytest.mark.parametrize(
    ("msisdn", "network", "name"),
    [
        ("+254712000001", "63902", "M-PESA"),
        ("+254733000009", "63903", "Airtel Money"),
        ("+254781000009", "63903", "Airtel Money"),
        ("+254100000009", "63903", "Airtel Money"),
        ("+256772000002", "64110", "MTN MoMo"),
        ("+221771234567", "99999", "Orange Money"),
        ("+233200000001", "62002", ""),
    ],
)
def test_a_phone_dials_from_the_network_that_its_wallet_is_at(
    msisdn: str, network: str, name: str
) -> None:
    """The server takes the wallet's operator from the network of a dial."""
    assert (network_of(msisdn), name_of(msisdn)) == (network, name)

"""What is to be registered with operators that call back on one address for all attempts."""

import argparse

from channels.addresses import ANY_ATTEMPT, CallbackAddresses
from channels.commands.registrations import registrations, show_addresses
from channels.settings import Settings, read_settings
from engine.clock import Clock
from providers.registry import build_operators

KEY = "ab" * 32
ENVIRONMENT = {
    "DATABASE_URL": "postgresql://nowhere",
    "REDIS_URL": "redis://nowhere",
    "CAPP_PUBLIC_URL": "https://capp.example",
    "CAPP_PIN_KEYS": f"1:{KEY}",
    "CAPP_CALLBACK_KEYS": KEY,
    "CAPP_SESSION_KEY": KEY,
    "CAPP_GATEWAY_TOKEN": KEY,
    "CAPP_OPERATORS": "mtn_gh,airtel_zm,orange_cd",
    **{
        f"CAPP_MTN_GH_{name}": "x"
        for name in ("API_USER", "API_KEY", "COLLECTION_KEY", "DISBURSEMENT_KEY")
    },
    "CAPP_MTN_GH_BASE_URL": "https://mtn.example",
    **{f"CAPP_AIRTEL_ZM_{name}": "x" for name in ("CLIENT_ID", "CLIENT_SECRET")},
    "CAPP_AIRTEL_ZM_PIN": "8462",
    "CAPP_AIRTEL_ZM_BASE_URL": "https://airtel.example",
    **{f"CAPP_ORANGE_CD_{name}": "x" for name in ("CLIENT_ID", "CLIENT_SECRET", "POS_ID")},
    "CAPP_ORANGE_CD_BASE_URL": "https://orange.example",
}


def _settings(**changes: str) -> Settings:
    return read_settings({**ENVIRONMENT, **changes})


async def test_only_who_calls_back_on_one_address_is_named_with_an_address_that_is_ours() -> None:
    settings = _settings()
    built = build_operators(settings.environment, clock=Clock(), names=settings.operators)
    found = registrations(settings, built)
    assert [one.operator for one in found] == ["airtel_zm", "orange_cd"]
    verifier = CallbackAddresses("", settings.callback_keys)
    for one in found:
        assert one.address.startswith("https://capp.example/")
        addressed = verifier.read(one.address.rpartition("/")[2])
        assert addressed is not None
        assert addressed.attempt_id == ANY_ATTEMPT
        assert addressed.operator_code == built[one.operator].facts.code
    for port in built.values():
        await port.aclose()


async def test_the_command_says_one_line_for_each_operator_first_and_address_last() -> None:
    said: list[str] = []
    assert await show_addresses(_settings(), argparse.Namespace(), said.append)
    assert [line.split()[0] for line in said] == ["airtel_zm", "orange_cd"]
    assert all(line.split()[-1].startswith("https://capp.example/") for line in said)
    again: list[str] = []
    await show_addresses(_settings(), argparse.Namespace(), again.append)
    assert again == said


async def test_where_nobody_needs_one_nothing_is_said() -> None:
    said: list[str] = []
    assert await show_addresses(
        _settings(CAPP_OPERATORS="mtn_gh"), argparse.Namespace(), said.append
    )
    assert said == []

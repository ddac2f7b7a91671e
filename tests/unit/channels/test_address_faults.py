"""An address that an operator would refuse is found out before anybody is served."""

import pytest

from channels.commands.doctor import CHECKS
from channels.settings import BadSettings, Settings, read_settings
from channels.wiring import open_engine
from engine.clock import Clock
from providers.environment import MissingSettings
from providers.registry import build_operators
from tests.integration.world import ENVIRONMENT
from tests.providers.capability_table import plausible

OPERATORS = "mpesa_ke,mtn_ug,orange_ci"
WORDS = ("mpesa", "m-pesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""Reference mpesa.md, section 11."""


def settings_of(public_url: str) -> Settings:
    environment = {
        **ENVIRONMENT,
        "DATABASE_URL": "postgresql://127.0.0.1:1/nobody",
        "CAPP_OPERATORS": OPERATORS,
        "CAPP_PUBLIC_URL": public_url,
        "CAPP_SMS_GATEWAYS": "africastalking",
        "CAPP_AFRICASTALKING_BASE_URL": "http://127.0.0.1:1",
        "CAPP_AFRICASTALKING_USERNAME": "sandbox",
        "CAPP_AFRICASTALKING_API_KEY": "none",
    }
    try:
        build_operators(environment, clock=Clock(), names=OPERATORS.split(","))
    except MissingSettings as error:
        environment |= {name: plausible(name) for name in error.names}
    return read_settings(environment)


@pytest.mark.parametrize("word", WORDS)
async def test_a_word_that_an_operator_forbids_is_told_by_doctor_and_stops_the_process(
    word: str,
) -> None:
    settings = settings_of(f"https://{word.upper()}.example.org")
    with pytest.raises(ValueError, match="CAPP_PUBLIC_URL: mpesa_ke: an address may not contain"):
        await CHECKS["operators"](settings)
    with pytest.raises(BadSettings, match="CAPP_PUBLIC_URL: mpesa_ke"):
        async with open_engine(settings):
            pass


async def test_an_address_too_long_for_one_operator_is_told_as_its_fault() -> None:
    settings = settings_of(f"https://pay.{'long' * 8}.example.org")
    with pytest.raises(ValueError, match=r"orange_ci: an address is \d+ characters too long"):
        await CHECKS["operators"](settings)


async def test_a_usual_address_is_no_fault() -> None:
    assert "mpesa_ke" in await CHECKS["operators"](settings_of("https://pay.example.org"))

"""Airtel's tokens and public keys: fetched once, kept, renewed, and never in anybody's way."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from engine.errors import OutcomeUnknown, Rejected, Unreachable
from engine.ports import Reason
from providers.airtel_money import AirtelMoney
from tests.providers.airtel_subjects import (
    AIRTEL,
    COLLECT,
    COLLECT_PATHS,
    DISBURSE,
    DISBURSE_PATHS,
    KEYS_PATH,
    PAID_OUT,
    PIN,
    QUEUED,
    TOKEN_PATH,
    airtel_key,
    envelope,
    kenyan_order,
    keys_answer,
    new_key,
    opened,
    public_text,
    refused,
    unsealed,
)
from tests.providers.company import EMPTY_500, SILENCE, Answer, Company, Reaction
from tests.providers.conftest import HandClock
from tests.providers.subjects import TOKEN

# Both are public keys, and nothing can be sealed with either.
NO_RSA_KEY = public_text(ec.generate_private_key(ec.SECP256R1()))
KEY_OF_NO_KIND = base64.b64encode(bytes.fromhex("300d300706032a0304050003020000")).decode()


@pytest.fixture
async def airtel(company: Company, clock: HandClock) -> AsyncIterator[AirtelMoney]:
    async with opened(company, clock) as adapter:
        yield adapter


async def test_keys_are_fetched_once_however_many_wait(company: Company, clock: HandClock) -> None:
    company.on(KEYS_PATH, keys_answer(airtel_key()))
    company.on(DISBURSE_PATHS[2], PAID_OUT)
    changes: dict[str, Any] = {"disbursement_version": 2}
    async with opened(company, clock, encryption_key="", **changes) as airtel:
        await asyncio.gather(*(airtel.disburse(kenyan_order(DISBURSE)) for _ in range(20)))
    (request,) = company.received(KEYS_PATH)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert (request.headers["x-country"], request.headers["x-currency"]) == ("KE", "KES")
    assert len(company.received(TOKEN_PATH)) == 1
    payouts = company.received(DISBURSE_PATHS[2])
    assert [unsealed(payout.json["pin"]) for payout in payouts] == [PIN] * 20
    assert len({payout.headers["x-key"] for payout in payouts}) == 20


@pytest.mark.parametrize(
    ("until", "seconds", "requests"),
    [
        ("22-11-2026 10:00:00", 19 * 3600, 1),
        ("22-11-2026 10:00:00", 21 * 3600, 2),  # four hours before, whatever their zone is
        ("soon", 100, 1),
        ("soon", 1000, 2),
        ("01-01-2020 00:00:00", 100, 1),
        ("01-01-2020 00:00:00", 1000, 2),
    ],
)
async def test_keys_are_kept_until_they_end(
    company: Company, clock: HandClock, until: str, seconds: float, requests: int
) -> None:
    company.on(KEYS_PATH, keys_answer(airtel_key(), until=until))
    company.on(DISBURSE_PATHS[1], PAID_OUT)
    async with opened(company, clock, encryption_key="") as airtel:
        await airtel.disburse(kenyan_order(DISBURSE))
        clock.seconds += seconds
        await airtel.disburse(kenyan_order(DISBURSE))
    assert len(company.received(KEYS_PATH)) == requests


async def test_pin_has_a_key_of_its_own_where_there_is_one(
    company: Company, clock: HandClock
) -> None:
    theirs, printed = new_key(), new_key()
    company.on(KEYS_PATH, keys_answer(airtel_key(), pin_key=theirs))
    company.on(DISBURSE_PATHS[2], PAID_OUT)
    for pin_key, key in (("", theirs), (public_text(printed), printed)):
        changes: dict[str, Any] = {
            "encryption_key": "",
            "pin_key": pin_key,
            "disbursement_version": 2,
        }
        async with opened(company, clock, **changes) as airtel:
            await airtel.disburse(kenyan_order(DISBURSE))
        request = company.received(DISBURSE_PATHS[2])[-1]
        assert unsealed(request.json["pin"], key) == PIN
        assert ":" in unsealed(request.headers["x-key"])


async def test_keys_may_stand_between_the_lines_of_pem(company: Company, clock: HandClock) -> None:
    """As the settings take them: a key that was found to be one must serve as one."""
    pem = f"-----BEGIN PUBLIC KEY-----\n{public_text(airtel_key())}\n-----END PUBLIC KEY-----\n"
    company.on(KEYS_PATH, envelope("DP02010001001", data={"key": pem}))
    company.on(DISBURSE_PATHS[2], PAID_OUT)
    async with opened(company, clock, encryption_key="", disbursement_version=2) as airtel:
        await airtel.disburse(kenyan_order(DISBURSE))
    (request,) = company.received(DISBURSE_PATHS[2])
    assert unsealed(request.json["pin"]) == PIN
    assert ":" in unsealed(request.headers["x-key"])


@pytest.mark.parametrize("code", ["ROUTER116", "DP00900001016", "DP00900001018", "DP00800001026"])
async def test_refused_key_is_renewed_and_the_order_repeated_once(
    company: Company, clock: HandClock, code: str
) -> None:
    renewed = new_key()
    company.on(KEYS_PATH, keys_answer(airtel_key()), keys_answer(renewed))
    company.on(DISBURSE_PATHS[1], refused(code), PAID_OUT)
    async with opened(company, clock, encryption_key="") as airtel:
        accepted = await airtel.disburse(kenyan_order(DISBURSE))
    assert accepted.finding is not None
    first, second = (request.json for request in company.received(DISBURSE_PATHS[1]))
    assert (unsealed(first["pin"]), unsealed(second["pin"], renewed)) == (PIN, PIN)
    assert first["transaction"] == second["transaction"]
    assert len(company.received(KEYS_PATH)) == 2


@pytest.mark.parametrize("http", [408, 500, 503])
async def test_refused_key_is_not_believed_of_a_server_that_broke(
    company: Company, clock: HandClock, http: int
) -> None:
    company.on(KEYS_PATH, keys_answer(airtel_key()), keys_answer(new_key()))
    company.on(DISBURSE_PATHS[1], refused("ROUTER116", http=http), PAID_OUT)
    async with opened(company, clock, encryption_key="") as airtel:
        with pytest.raises(OutcomeUnknown):
            await airtel.disburse(kenyan_order(DISBURSE))
    assert len(company.received(DISBURSE_PATHS[1])) == 1


@pytest.mark.parametrize("own_key", [True, False])
async def test_refused_key_that_does_not_change_is_our_configuration(
    company: Company, clock: HandClock, own_key: bool
) -> None:
    company.on(KEYS_PATH, keys_answer(airtel_key()))
    company.on(DISBURSE_PATHS[1], refused("ROUTER116"))
    changes: dict[str, Any] = {} if own_key else {"encryption_key": ""}
    async with opened(company, clock, **changes) as airtel:
        with pytest.raises(Rejected) as caught:
            await airtel.disburse(kenyan_order(DISBURSE))
    assert caught.value.reason is Reason.CONFIGURATION
    assert len(company.received(DISBURSE_PATHS[1])) == 1


@pytest.mark.parametrize(
    "answer",
    [
        SILENCE,
        EMPTY_500,
        refused("DP02010001000"),
        envelope("DP02010001001", data={"key": "no key", "valid_upto": "31-12-2026 21:29:26"}),
        envelope("DP02010001001", data={"key": 7}),
        envelope("DP02010001001", data={"key": NO_RSA_KEY}),
        envelope("DP02010001001", data={"key": KEY_OF_NO_KIND}),
        Answer(500, message=keys_answer(airtel_key()).message),
        envelope("DP02010001001"),
    ],
)
async def test_without_a_key_nothing_was_sent(
    company: Company, clock: HandClock, answer: Reaction
) -> None:
    company.on(KEYS_PATH, answer)
    async with opened(company, clock, encryption_key="") as airtel:
        with pytest.raises(Unreachable):
            await airtel.disburse(kenyan_order(DISBURSE))
    assert company.received(DISBURSE_PATHS[1]) == []


async def test_tokens_of_three_minutes_are_renewed_early_and_once(
    company: Company, airtel: AirtelMoney, clock: HandClock
) -> None:
    company.on(COLLECT_PATHS[1], QUEUED)
    await airtel.collect(kenyan_order(COLLECT))
    clock.seconds += 164
    await airtel.collect(kenyan_order(COLLECT))
    assert len(company.received(TOKEN_PATH)) == 1
    clock.seconds += 2
    await asyncio.gather(*(airtel.collect(kenyan_order(COLLECT)) for _ in range(30)))
    assert len(company.received(TOKEN_PATH)) == 2


async def test_token_that_dies_under_many_requests_is_renewed_once(
    company: Company, airtel: AirtelMoney
) -> None:
    company.on(COLLECT_PATHS[1], *[AIRTEL.token_refused] * 20, QUEUED)
    await asyncio.gather(*(airtel.collect(kenyan_order(COLLECT)) for _ in range(20)))
    assert len(company.received(COLLECT_PATHS[1])) == 40
    assert len(company.received(TOKEN_PATH)) == 2


async def test_token_life_may_be_a_number(company: Company, airtel: AirtelMoney) -> None:
    company.on(TOKEN_PATH, Answer(message={"access_token": TOKEN, "expires_in": 180}))
    company.on(COLLECT_PATHS[1], QUEUED)
    for _ in range(2):
        await airtel.collect(kenyan_order(COLLECT))
    assert len(company.received(TOKEN_PATH)) == 1

"""Two tenants in one web process, each with rates, spread and fees of its own: what each asks.

The same phone asks both for the same amount, over USSD and, as a business does, over the API.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from channels.api.v1 import PREFIX
from channels.commands.seed import Seeds, seed
from channels.settings import Settings
from engine.clock import Clock
from providers.registry import build_operators
from simulator import embedded
from tests.integration.street_room import PHONE, StreetRoom, open_street_room
from tests.providers.test_registry import ENVIRONMENT

NUMBERS = {"duka": 43, "soko": 44}
PAYEE = "256772000002"
TERMS: dict[int, dict[str, Any]] = {
    43: {"mid": "28.45", "spread_bp": 150, "fee_minor": 1_000, "fee_bp": 100},
    44: {"mid": "28.00", "spread_bp": 300, "fee_minor": 2_500, "fee_bp": 50},
}
# KES 1,000. Duka: 28.45 less 1.5 % is 28.0232, fee 10 and 1 % = 20. Soko: 28 less 3 % is 27.16,
# fee 25 and 0.5 % = 30.
PRICES = {
    "duka": {"fee": 2_000, "total": 102_000, "receives": 28_023},
    "soko": {"fee": 3_000, "total": 103_000, "receives": 27_160},
}
SHOWN = {"duka": ("UGX 28,023", "KES 20", "28.0232"), "soko": ("UGX 27 160", "KES 30", "27,16")}


async def sow(settings: Settings) -> None:
    terms = TERMS[settings.tenant]
    mid = terms["mid"]
    corridor = {
        "payer_operator": "mpesa_ke", "payee_operator": "mtn_ug", "amount_minor_min": 10_000,
        "amount_minor_max": 7_000_000, "collection_cost_bp": 0, "payout_cost_minor": 0,
        **{name: terms[name] for name in ("spread_bp", "fee_minor", "fee_bp")},
    }  # fmt: skip
    seeds = msgspec.convert(
        {
            "rates": [{"base": "KES", "quote": "UGX", "mid": mid}],
            "corridors": [corridor],
            "floats": [{"operator": "mtn_ug", "minor": 150_000_000, "key": "first"}],
        },
        Seeds,
    )
    clock = Clock()
    operators = build_operators(settings.environment, clock=clock, names=settings.operators)
    await seed(settings, seeds, {name: port.facts for name, port in operators.items()}, clock)
    for port in operators.values():
        await port.aclose()


@pytest.fixture(scope="module")
def room(
    shared_database_url: str,
    redis_server: embedded.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StreetRoom]:
    folder = tmp_path_factory.mktemp("tenants")
    (folder / "mpesa.pem").write_text(ENVIRONMENT["CAPP_MPESA_KE_CERTIFICATE"])
    mpesa = {name: value for name, value in ENVIRONMENT.items() if "MPESA_KE" in name}
    also = {
        **mpesa, "CAPP_MPESA_KE_CERTIFICATE": str(folder / "mpesa.pem"),
        "CAPP_OPERATORS": "mpesa_ke,mtn_ug",
    }  # fmt: skip
    with open_street_room(
        shared_database_url, redis_server.url, folder, numbers=NUMBERS, also=also, prepare=sow
    ) as opened:
        yield opened


@pytest.mark.parametrize("name", NUMBERS)
def test_the_api_asks_each_ones_own_price(room: StreetRoom, name: str) -> None:
    answer = room.client.post(
        f"/t/{name}{PREFIX}/quotes",
        json={
            "payer": str(PHONE), "payee": f"+{PAYEE}",
            "amount": {"minor": 100_000, "currency": "KES"},
        },
        headers={
            "authorization": f"Bearer {room.keys[name]}", "idempotency-key": "the-same-key",
        },
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert {part: told[part]["minor"] for part in PRICES[name]} == PRICES[name]


@pytest.mark.parametrize("name", NUMBERS)
def test_the_phone_shows_each_ones_own_price(room: StreetRoom, name: str) -> None:
    typed = ["4", PAYEE, "1000"]
    text = ""
    for end in range(len(typed) + 1):
        text = room.dial(name, session="price", text="*".join(typed[:end])).text
    assert [shown for shown in SHOWN[name] if shown not in text] == []


@pytest.mark.parametrize("name", NUMBERS)
def test_a_quote_of_one_is_not_found_at_the_other(room: StreetRoom, name: str) -> None:
    """Under its own key too: prices are no secret between tenants, and still not each other's."""
    other = "soko" if name == "duka" else "duka"
    headers = {"authorization": f"Bearer {room.keys[name]}", "idempotency-key": "to-look-at"}
    asked = {
        "payer": str(PHONE),
        "payee": f"+{PAYEE}",
        "amount": {"minor": 100_000, "currency": "KES"},
    }
    made = room.client.post(f"/t/{name}{PREFIX}/quotes", json=asked, headers=headers).json()["id"]
    at_home = room.client.get(f"/t/{name}{PREFIX}/quotes/{made}", headers=headers)
    assert at_home.status_code == 200
    strange = {"authorization": f"Bearer {room.keys[other]}"}
    assert room.client.get(f"/t/{other}{PREFIX}/quotes/{made}", headers=strange).status_code == 404

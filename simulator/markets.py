"""The operators a stack can run, each in one country: its sandbox, and how a server calls it.

A list and nothing else: what a sandbox does is in `operators/`, what runs of it is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from starlette.types import ASGIApp

from simulator.operators import credentials
from simulator.operators.airtel_money import AirtelSandbox, AirtelSettings, airtel_money_app
from simulator.operators.base import Settings
from simulator.operators.mpesa import MpesaSandbox, MpesaSettings, mpesa_app
from simulator.operators.mtn_momo import MtnSandbox, MtnSettings, mtn_momo_app
from simulator.operators.orange_money import DEFAULTS as ORANGE
from simulator.operators.orange_money import Api as OrangeApi
from simulator.operators.orange_money import OrangeSandbox, orange_money_app
from simulator.operators.world import World
from simulator.operators.zamtel import ZamtelSandbox, ZamtelSettings, zamtel_app

S = TypeVar("S", bound=Settings)


class Manner(NamedTuple):
    """How all sandboxes behave; durations in seconds."""

    approval: Literal["ask", "approve", "decline"] = "approve"
    approval_window_seconds: float = 60.0
    processing_seconds: float = 0.02
    callback_delay_seconds: float = 0.02

    def of(self, settings: S) -> S:
        """These settings with this manner."""
        return msgspec.structs.replace(settings, **self._asdict())


Open = Callable[[World, Manner, int], ASGIApp]
"""From the world, the manner and our float there (minor units) to an application with its state."""


class Market(NamedTuple):
    """One operator in one country.

    `variables` are the server's `CAPP_<NAME>_*` but the address. `fixed_address`: it calls back on
    one address that it is told beforehand, by its setting of this name. `by_link`: the payer gets a
    page instead of a prompt.
    """

    name: str
    port: int  # where the demo would like it
    dialling_code: str  # "+254"
    currency: str
    float_minor: int  # our money there for payouts, as the sandbox begins
    open: Open
    variables: Mapping[str, str]
    certificate: str = ""  # the variable that names a file with its certificate
    fixed_address: str = ""
    by_link: bool = False

    @property
    def country(self) -> str:
        """ISO 3166 alpha-2."""
        return self.name.rsplit("_", 1)[1].upper()

    def environment(self, url: str) -> dict[str, str]:
        """What a server must be told to call the sandbox that listens at `url`."""
        told = {"BASE_URL": url, **self.variables}
        return {self.variable(name): value for name, value in told.items()}

    def variable(self, name: str) -> str:
        """`CAPP_MPESA_KE_CERTIFICATE`."""
        return f"CAPP_{self.name.upper()}_{name}"


def _opened(sandbox: Any, app: Callable[[Any], ASGIApp], settings: Settings) -> Open:
    def open_it(world: World, manner: Manner, float_minor: int) -> ASGIApp:
        return app(
            sandbox(world, manner.of(settings), collection_minor=0, disbursement_minor=float_minor)
        )

    return open_it


def _mtn(country: str, environment: str, **place: Any) -> Market:
    settings = MtnSettings(target_environment=environment, currency=place["currency"])
    return Market(
        name=f"mtn_{country}",
        open=_opened(MtnSandbox, mtn_momo_app, settings),
        variables={
            "TARGET_ENVIRONMENT": environment,
            "API_USER": credentials.MTN_SANDBOX_API_USER,
            "API_KEY": credentials.MTN_SANDBOX_API_KEY,
            "COLLECTION_KEY": credentials.MTN_SANDBOX_COLLECTION_SUBSCRIPTION_KEY,
            "DISBURSEMENT_KEY": credentials.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY,
        },
        **place,
    )


def _airtel(country: str, **place: Any) -> Market:
    settings = AirtelSettings(country=country.upper())
    return Market(
        name=f"airtel_{country}",
        open=_opened(AirtelSandbox, airtel_money_app, settings),
        variables={
            "CLIENT_ID": credentials.AIRTEL_SANDBOX_CLIENT_ID,
            "CLIENT_SECRET": credentials.AIRTEL_SANDBOX_CLIENT_SECRET,
            "PIN": credentials.AIRTEL_SANDBOX_PIN,
        },
        fixed_address="callback_url",
        **place,
    )


def _orange(country: str, api: OrangeApi, more: Mapping[str, str], **place: Any) -> Market:
    return Market(
        name=f"orange_{country}",
        open=_opened(OrangeSandbox, orange_money_app, ORANGE[api]),
        variables={
            "CLIENT_ID": credentials.ORANGE_SANDBOX_CLIENT_ID,
            "CLIENT_SECRET": credentials.ORANGE_SANDBOX_SECRET,
            "MERCHANT_NAME": "CAPP",
            "RETURN_URL": "https://capp.example/",
            "BY_LINK": "1",
            **more,
        },
        by_link=True,
        **place,
    )


MPESA_KE = Market(
    name="mpesa_ke",
    port=8097,
    dialling_code="+254",
    currency="KES",
    float_minor=100_000_000_00,
    open=_opened(MpesaSandbox, mpesa_app, MpesaSettings()),
    variables={
        "CONSUMER_KEY": credentials.MPESA_SANDBOX_CONSUMER_KEY,
        "CONSUMER_SECRET": credentials.MPESA_SANDBOX_CONSUMER_SECRET,
        "SHORTCODE": credentials.MPESA_SANDBOX_SHORTCODE,
        "PASSKEY": credentials.MPESA_SANDBOX_PASSKEY,
        "B2C_SHORTCODE": credentials.MPESA_SANDBOX_B2C_SHORTCODE,
        "INITIATOR": credentials.MPESA_SANDBOX_INITIATOR_NAME,
        "INITIATOR_PASSWORD": credentials.MPESA_SANDBOX_INITIATOR_PASSWORD,
        "SIM_SWAP": "1",
    },
    certificate="CERTIFICATE",
)
ZAMTEL_ZM = Market(
    name="zamtel_zm",
    port=8106,
    dialling_code="+260",
    currency="ZMW",
    float_minor=1_000_000_00,
    open=_opened(ZamtelSandbox, zamtel_app, ZamtelSettings()),
    variables={
        "THIRD_PARTY_ID": credentials.ZAMTEL_SANDBOX_THIRD_PARTY_ID,
        "PASSWORD": credentials.ZAMTEL_SANDBOX_PASSWORD,
        "SHORTCODE": credentials.ZAMTEL_SANDBOX_SHORTCODE,
        "INITIATOR": credentials.ZAMTEL_SANDBOX_INITIATOR,
        "INITIATOR_PASSWORD": credentials.ZAMTEL_SANDBOX_INITIATOR_PASSWORD,
    },
)
_PAGES = {"MERCHANT_KEY": credentials.ORANGE_SANDBOX_MERCHANT_KEY}
_WALLET = {
    "MERCHANT_CODE": credentials.ORANGE_SANDBOX_MERCHANT_CODE,
    "AGENT_MSISDN": credentials.ORANGE_SANDBOX_AGENT_MSISDN,
    "PIN": credentials.ORANGE_SANDBOX_PIN,
    "API_KEY": credentials.ORANGE_SANDBOX_API_KEY,
    "SIGNING_SECRET": credentials.ORANGE_SANDBOX_SIGNING_SECRET,
    "REFUSED_CODES": "2020",  # what this sandbox says when it has not paid
}
MARKETS: Mapping[str, Market] = {
    market.name: market
    for market in (
        MPESA_KE,
        _mtn(
            "ug", "mtnuganda", port=8098, dialling_code="+256", currency="UGX",
            float_minor=4_000_000_000,
        ),
        _airtel(
            "ke", port=8100, dialling_code="+254", currency="KES", float_minor=5_000_000_00
        ),
        _mtn(
            "ng", "mtnnigeria", port=8101, dialling_code="+234", currency="NGN",
            float_minor=50_000_000_00,
        ),
        _mtn(
            "gh", "mtnghana", port=8102, dialling_code="+233", currency="GHS",
            float_minor=500_000_00,
        ),
        _orange(
            "ci", "web_payment", _PAGES, port=8103, dialling_code="+225", currency="XOF",
            float_minor=0,
        ),
        _orange(
            "sn", "wallet", _WALLET, port=8104, dialling_code="+221", currency="XOF",
            float_minor=20_000_000,
        ),
        ZAMTEL_ZM,
        _airtel(
            "zm", port=8105, dialling_code="+260", currency="ZMW", float_minor=1_000_000_00
        ),
        _mtn(
            "zm", "mtnzambia", port=8107, dialling_code="+260", currency="ZMW",
            float_minor=1_000_000_00,
        ),
    )
}  # fmt: skip
EVERY = tuple(MARKETS)


def read_markets(words: str | Iterable[str]) -> tuple[Market, ...]:
    """`mpesa_ke,mtn_ug`, each once, in the order of the list. Raises ValueError for an unknown."""
    wanted = words.split(",") if isinstance(words, str) else list(words)
    names = {word.strip() for word in wanted if word.strip()}
    if unknown := names - MARKETS.keys():
        raise ValueError(
            f"no sandbox of {', '.join(sorted(unknown))}; there are {', '.join(EVERY)}"
        )
    if not names:
        raise ValueError("at least one operator")
    return tuple(market for market in MARKETS.values() if market.name in names)

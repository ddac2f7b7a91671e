"""All the sandboxes of a test in its own loop: operators, gateways and rate sources.

One of each company; a whole product with several countries is `stack.py`. What a sandbox does is
in `operators/`, `gateway.py` and `rates/`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field

from simulator.gateway import GatewaySandbox, GatewaySettings, gateway_app
from simulator.operators.airtel_money import AirtelSandbox, AirtelSettings, airtel_money_app
from simulator.operators.mpesa import MpesaSandbox, MpesaSettings, mpesa_app
from simulator.operators.mtn_momo import MtnSandbox, MtnSettings, mtn_momo_app
from simulator.operators.orange_money import DEFAULTS as ORANGE
from simulator.operators.orange_money import Api as OrangeApi
from simulator.operators.orange_money import OrangeSandbox, OrangeSettings, orange_money_app
from simulator.operators.world import World
from simulator.operators.zamtel import ZamtelSandbox, ZamtelSettings, zamtel_app
from simulator.rates import Market, MarketSettings, floatrates_app, openexchangerates_app
from simulator.serving import Apps, serving
from simulator.twilio import TwilioSandbox, TwilioSandboxSettings, twilio_app

__all__ = ["Sandboxes", "SandboxesSettings", "serving"]


@dataclass
class SandboxesSettings:
    """How all of them start; ports of 0 mean any free one, money is in minor units.

    The floats are our own money at each operator, for payouts.
    """

    mpesa: MpesaSettings = field(default_factory=MpesaSettings)
    mtn: MtnSettings = field(default_factory=MtnSettings)
    airtel: AirtelSettings = field(default_factory=AirtelSettings)
    zamtel: ZamtelSettings = field(default_factory=ZamtelSettings)
    orange: Mapping[OrangeApi, OrangeSettings] = field(default_factory=lambda: deepcopy(ORANGE))
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    twilio: TwilioSandboxSettings = field(default_factory=TwilioSandboxSettings)
    market: MarketSettings = field(default_factory=MarketSettings)
    mpesa_port: int = 0
    mtn_port: int = 0
    airtel_port: int = 0
    zamtel_port: int = 0
    orange_port: int = 0  # of the first of its APIs; the others follow
    gateway_port: int = 0
    twilio_port: int = 0
    openexchangerates_port: int = 0
    floatrates_port: int = 0
    mpesa_float_minor: int = 100_000_000_00
    mtn_float_minor: int = 4_000_000_000
    airtel_float_minor: int = 100_000_000_00
    zamtel_float_minor: int = 20_000_000_00
    orange_float_minor: int = 20_000_000_00
    world: World = field(default_factory=World)


class Sandboxes:
    """All the sandboxes, and, once started, where they listen.

    The sandboxes themselves are reachable too, for tests that look inside.
    """

    mpesa_url: str
    mtn_url: str
    airtel_url: str
    zamtel_url: str
    orange_urls: Mapping[OrangeApi, str]
    gateway_url: str
    twilio_url: str
    openexchangerates_url: str
    floatrates_url: str

    def __init__(self, settings: SandboxesSettings) -> None:
        self._settings = settings
        self.mpesa = MpesaSandbox(
            settings.world,
            settings.mpesa,
            collection_minor=0,
            disbursement_minor=settings.mpesa_float_minor,
        )
        self.mtn = MtnSandbox(
            settings.world,
            settings.mtn,
            collection_minor=0,
            disbursement_minor=settings.mtn_float_minor,
        )
        self.airtel = AirtelSandbox(
            settings.world,
            settings.airtel,
            collection_minor=0,
            disbursement_minor=settings.airtel_float_minor,
        )
        self.zamtel = ZamtelSandbox(
            settings.world,
            settings.zamtel,
            collection_minor=0,
            disbursement_minor=settings.zamtel_float_minor,
        )
        self.orange = {
            api: OrangeSandbox(
                settings.world,
                orange,
                collection_minor=0,
                disbursement_minor=settings.orange_float_minor,
            )
            for api, orange in settings.orange.items()
        }
        self.gateway = GatewaySandbox(settings.world, settings.gateway)
        self.twilio = TwilioSandbox(settings.world, settings.twilio)
        self.openexchangerates = Market("openexchangerates", settings.world, settings.market)
        self.floatrates = Market("floatrates", settings.world, settings.market)

    @property
    def apps(self) -> Apps:
        """Each sandbox's application and the port it wants."""
        return {
            "mpesa": (mpesa_app(self.mpesa), self._settings.mpesa_port),
            "mtn": (mtn_momo_app(self.mtn), self._settings.mtn_port),
            "airtel": (airtel_money_app(self.airtel), self._settings.airtel_port),
            "zamtel": (zamtel_app(self.zamtel), self._settings.zamtel_port),
            **self._orange_apps(),
            "gateway": (gateway_app(self.gateway), self._settings.gateway_port),
            "twilio": (twilio_app(self.twilio), self._settings.twilio_port),
            "openexchangerates": (
                openexchangerates_app(self.openexchangerates),
                self._settings.openexchangerates_port,
            ),
            "floatrates": (floatrates_app(self.floatrates), self._settings.floatrates_port),
        }

    @classmethod
    @asynccontextmanager
    async def start(cls, settings: SandboxesSettings | None = None) -> AsyncIterator[Sandboxes]:
        """`async with Sandboxes.start() as sandboxes:` serves in this loop until the block ends."""
        sandboxes = cls(settings or SandboxesSettings())
        async with serving(sandboxes.apps) as urls:
            sandboxes.mpesa_url = urls["mpesa"]
            sandboxes.mtn_url = urls["mtn"]
            sandboxes.airtel_url = urls["airtel"]
            sandboxes.zamtel_url = urls["zamtel"]
            sandboxes.orange_urls = {api: urls[f"orange_{api}"] for api in sandboxes.orange}
            sandboxes.gateway_url = urls["gateway"]
            sandboxes.twilio_url = urls["twilio"]
            sandboxes.openexchangerates_url = urls["openexchangerates"]
            sandboxes.floatrates_url = urls["floatrates"]
            yield sandboxes

    def _orange_apps(self) -> Apps:
        first = self._settings.orange_port
        return {
            f"orange_{api}": (orange_money_app(sandbox), first + place if first else 0)
            for place, (api, sandbox) in enumerate(self.orange.items())
        }

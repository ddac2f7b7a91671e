"""Runs the operators', the gateway's and the rate sources' sandboxes, each on its own port.

One process serves all of them on 127.0.0.1: as a command for the demo and the benches, or inside a
test. What a sandbox does is in `operators/`, `gateway.py` and `rates/`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.faults import ABORT
from simulator.gateway import GatewaySandbox, GatewaySettings, gateway_app
from simulator.operators.airtel_money import AirtelSandbox, AirtelSettings, airtel_money_app
from simulator.operators.airtel_money.wire import COUNTRIES
from simulator.operators.mpesa import MpesaSandbox, MpesaSettings, mpesa_app
from simulator.operators.mtn_momo import MtnSandbox, MtnSettings, mtn_momo_app
from simulator.operators.orange_money import DEFAULTS as ORANGE
from simulator.operators.orange_money import Api as OrangeApi
from simulator.operators.orange_money import OrangeSandbox, OrangeSettings, orange_money_app
from simulator.operators.world import World
from simulator.operators.zamtel import ZamtelSandbox, ZamtelSettings, zamtel_app
from simulator.rates import Market, MarketSettings, floatrates_app, openexchangerates_app
from simulator.twilio import TwilioSandbox, TwilioSandboxSettings, twilio_app

HOST = "127.0.0.1"
_SHUTDOWN_SECONDS_MAX = 1.0
_BACKLOG = 2048
Apps = Mapping[str, tuple[ASGIApp, int]]


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


@asynccontextmanager
async def serving(apps: Apps) -> AsyncIterator[Mapping[str, str]]:
    """Serve every app until the block ends; gives each one's URL. OSError: a port is taken."""
    sockets: dict[str, socket.socket] = {}
    try:
        for name, (_, port) in apps.items():
            sockets[name] = _bind(port)
    except OSError:
        for bound in sockets.values():
            bound.close()
        raise
    servers = [_Server(_config(app)) for app, _ in apps.values()]
    urls = {name: f"http://{HOST}:{bound.getsockname()[1]}" for name, bound in sockets.items()}
    tasks = [
        asyncio.create_task(server.serve(sockets=[bound]))
        for server, bound in zip(servers, sockets.values(), strict=True)
    ]
    try:
        await asyncio.gather(*(server.ready.wait() for server in servers))
        yield urls
    finally:
        for server in servers:
            server.end()
        await asyncio.gather(*tasks)


async def serve(apps: Apps) -> None:
    """Serve every app until SIGTERM or SIGINT, then end in good order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(apps) as urls:
        for name, url in urls.items():
            sys.stdout.write(f"{name} {url}\n")
        sys.stdout.flush()
        await stop.wait()


def run_sandboxes(argv: list[str]) -> int:
    """`python -m simulator operators ...`: the exit code, 1 when a port is taken."""
    arguments = _parser().parse_args(argv)
    sandboxes = Sandboxes(_settings(arguments))
    if arguments.certificate_file is not None:
        arguments.certificate_file.write_bytes(sandboxes.mpesa.initiator.certificate_pem())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(sandboxes.apps))
    except OSError as error:
        sys.stderr.write(f"cannot listen: {error}\n")
        return 1
    return 0


class _Server(uvicorn.Server):
    """One of several servers in a process: signals are the runner's business, not its own.

    It starts and ends at once: uvicorn looks for its end ten times a second and then waits
    some more, which a test suite with hundreds of servers would feel.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._ending = asyncio.Event()

    def end(self) -> None:
        self._ending.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let answers under way finish for a moment, then cut the rest."""
        for listening in self.servers:
            listening.close()
        for bound in sockets or []:
            bound.close()
        connections = tuple(self.server_state.connections)
        for connection in connections:
            connection.shutdown()
        tasks = tuple(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS_MAX)
        for connection in connections:
            connection.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS_MAX)
        await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _CuttableProtocol(HttpToolsProtocol):
    """Offers each request the means to cut its connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,  # A test's or the caller's logging stays as it is.
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
    )


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def _parser() -> argparse.ArgumentParser:
    defaults = SandboxesSettings()
    parser = argparse.ArgumentParser(
        prog="python -m simulator operators",
        description="Sandboxes of M-PESA, MTN MoMo, Airtel Money, Zamtel, Orange,"
        " Africa's Talking, Twilio, Open Exchange Rates and FloatRates on 127.0.0.1.",
    )
    parser.add_argument("--mpesa-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--mtn-port", type=int, default=0)
    parser.add_argument("--airtel-port", type=int, default=0)
    parser.add_argument("--airtel-country", choices=sorted(COUNTRIES), default="KE")
    parser.add_argument("--airtel-callback-url", help="where Airtel's portal sends its callbacks")
    parser.add_argument("--zamtel-port", type=int, default=0)
    parser.add_argument(
        "--orange-port", type=int, default=0, help="of the first of four; the others follow it"
    )
    parser.add_argument("--gateway-port", type=int, default=0)
    parser.add_argument("--twilio-port", type=int, default=0)
    parser.add_argument("--openexchangerates-port", type=int, default=0)
    parser.add_argument("--floatrates-port", type=int, default=0)
    parser.add_argument(
        "--rate-noise-bp",
        type=int,
        default=defaults.market.noise_bp,
        help="how far rates move, in hundredths of a percent",
    )
    parser.add_argument(
        "--rate-publish-seconds", type=float, default=defaults.market.publish_seconds
    )
    parser.add_argument(
        "--approval",
        choices=("ask", "approve", "decline"),
        default="approve",
        help="whether payers are asked, or what they always say",
    )
    parser.add_argument("--approval-window-seconds", type=float, default=60.0)
    parser.add_argument("--processing-seconds", type=float, default=0.02)
    parser.add_argument("--callback-delay-seconds", type=float, default=0.02)
    parser.add_argument("--delivery-report-url", help="where the gateway reports deliveries")
    parser.add_argument("--sms-in-url", help="where the gateway passes on messages from phones")
    parser.add_argument("--mpesa-float-minor", type=int, default=defaults.mpesa_float_minor)
    parser.add_argument("--mtn-float-minor", type=int, default=defaults.mtn_float_minor)
    parser.add_argument(
        "--mpesa-wallet-minor", type=int, default=defaults.mpesa.default_balance_minor
    )
    parser.add_argument("--mtn-wallet-minor", type=int, default=defaults.mtn.default_balance_minor)
    parser.add_argument(
        "--certificate-file", type=Path, help="write M-PESA's certificate here before listening"
    )
    return parser


def _settings(arguments: argparse.Namespace) -> SandboxesSettings:
    approval: Literal["ask", "approve", "decline"] = arguments.approval
    window: float = arguments.approval_window_seconds
    processing: float = arguments.processing_seconds
    callback_delay: float = arguments.callback_delay_seconds
    return SandboxesSettings(
        mpesa=MpesaSettings(
            approval=approval,
            approval_window_seconds=window,
            processing_seconds=processing,
            callback_delay_seconds=callback_delay,
            default_balance_minor=arguments.mpesa_wallet_minor,
        ),
        mtn=MtnSettings(
            approval=approval,
            approval_window_seconds=window,
            processing_seconds=processing,
            callback_delay_seconds=callback_delay,
            default_balance_minor=arguments.mtn_wallet_minor,
        ),
        airtel=AirtelSettings(
            approval=approval,
            approval_window_seconds=window,
            processing_seconds=processing,
            callback_delay_seconds=callback_delay,
            country=arguments.airtel_country,
            callback_url=arguments.airtel_callback_url,
        ),
        zamtel=ZamtelSettings(
            approval=approval, approval_window_seconds=window, processing_seconds=processing
        ),
        orange={
            api: msgspec.structs.replace(
                usual,
                approval=approval,
                approval_window_seconds=window,
                processing_seconds=processing,
                callback_delay_seconds=callback_delay,
            )
            for api, usual in ORANGE.items()
        },
        gateway=GatewaySettings(
            callback_delay_seconds=callback_delay,
            delivery_report_url=arguments.delivery_report_url,
            sms_in_url=arguments.sms_in_url,
        ),
        market=MarketSettings(
            noise_bp=arguments.rate_noise_bp,
            publish_seconds=arguments.rate_publish_seconds,
        ),
        mpesa_port=arguments.mpesa_port,
        mtn_port=arguments.mtn_port,
        airtel_port=arguments.airtel_port,
        zamtel_port=arguments.zamtel_port,
        orange_port=arguments.orange_port,
        gateway_port=arguments.gateway_port,
        twilio_port=arguments.twilio_port,
        openexchangerates_port=arguments.openexchangerates_port,
        floatrates_port=arguments.floatrates_port,
        mpesa_float_minor=arguments.mpesa_float_minor,
        mtn_float_minor=arguments.mtn_float_minor,
    )

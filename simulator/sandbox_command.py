"""`python -m simulator operators ...`: the sandboxes as one program, until it is told to end.

Without `--operators` one of each company; with it exactly those of `markets.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import msgspec
import uvloop

from simulator.gateway import GatewaySandbox, GatewaySettings, gateway_app
from simulator.markets import EVERY, MARKETS, Manner
from simulator.operators.airtel_money import AirtelSettings
from simulator.operators.airtel_money.wire import COUNTRIES
from simulator.operators.base import Settings
from simulator.operators.mpesa import MpesaSettings
from simulator.operators.mtn_momo import MtnSettings
from simulator.operators.orange_money import DEFAULTS as ORANGE
from simulator.operators.world import World
from simulator.operators.zamtel import ZamtelSettings
from simulator.rates import Market, MarketSettings, floatrates_app, openexchangerates_app
from simulator.sandbox import Sandboxes, SandboxesSettings
from simulator.serving import Apps, serve

S = TypeVar("S", bound=Settings)


def run_sandboxes(argv: list[str]) -> int:
    """The exit code; 1: a port is taken. An option that makes no sense ends the process with 2."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.operators is not None:
        try:
            apps = _apps_of_countries(arguments)
        except ValueError as error:
            parser.error(str(error))
    else:
        sandboxes = Sandboxes(_settings(arguments))
        if arguments.certificate_file is not None:
            arguments.certificate_file.write_bytes(sandboxes.mpesa.initiator.certificate_pem())
        apps = sandboxes.apps
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve_watched(apps) if _is_watched(arguments) else serve(apps))
    except OSError as error:
        sys.stderr.write(f"cannot listen: {error}\n")
        return 1
    return 0


async def _serve_watched(apps: Apps) -> None:
    """With the console, whose terminal library nobody else has to wait for."""
    command = import_module("simulator.console.command")
    await command.serve_with_console(apps)


def _is_watched(arguments: argparse.Namespace) -> bool:
    """Whether somebody sits at a terminal and wants the console."""
    return not arguments.no_console and all(s.isatty() for s in (sys.stdin, sys.stdout))


def _apps_of_countries(arguments: argparse.Namespace) -> Apps:
    """Operators by their countries, beside one gateway and both rate sources."""
    world = World()
    manner = Manner(
        arguments.approval,
        arguments.approval_window_seconds,
        arguments.processing_seconds,
        arguments.callback_delay_seconds,
    )
    ports = _ports_of(arguments.operators)
    market = _market(arguments)
    return {
        **{
            name: (MARKETS[name].open(world, manner, MARKETS[name].float_minor), port)
            for name, port in ports.items()
        },
        "gateway": (
            gateway_app(GatewaySandbox(world, _gateway(arguments))), arguments.gateway_port
        ),
        "openexchangerates": (
            openexchangerates_app(Market("openexchangerates", world, market)),
            arguments.openexchangerates_port,
        ),
        "floatrates": (
            floatrates_app(Market("floatrates", world, market)), arguments.floatrates_port
        ),
    }  # fmt: skip


def _ports_of(words: str) -> dict[str, int]:
    """`mpesa_ke=8097,mtn_ug`; without a port any free one. Raises ValueError."""
    pairs = [word.strip().partition("=") for word in words.split(",")]
    if unknown := [name for name, _, _ in pairs if name not in MARKETS]:
        raise ValueError(f"no sandbox of {', '.join(unknown)}; there are {', '.join(EVERY)}")
    return {name: int(port or 0) for name, _, port in pairs}


def _parser() -> argparse.ArgumentParser:
    defaults = SandboxesSettings()
    parser = argparse.ArgumentParser(
        prog="python -m simulator operators",
        description="Sandboxes of M-PESA, MTN MoMo, Airtel Money, Zamtel, Orange,"
        " Africa's Talking, Twilio, Open Exchange Rates and FloatRates on 127.0.0.1.",
    )
    parser.add_argument(
        "--operators",
        metavar="NAME=PORT,...",
        help=f"exactly these instead of one of each company: {', '.join(EVERY)}",
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
    parser.add_argument(
        "--no-console", action="store_true", help="only print the addresses, also at a terminal"
    )
    return parser


def _settings(arguments: argparse.Namespace) -> SandboxesSettings:
    return SandboxesSettings(
        mpesa=_habits(arguments, MpesaSettings(default_balance_minor=arguments.mpesa_wallet_minor)),
        mtn=_habits(arguments, MtnSettings(default_balance_minor=arguments.mtn_wallet_minor)),
        airtel=_habits(
            arguments,
            AirtelSettings(
                country=arguments.airtel_country, callback_url=arguments.airtel_callback_url
            ),
        ),
        zamtel=_habits(arguments, ZamtelSettings()),
        orange={api: _habits(arguments, usual) for api, usual in ORANGE.items()},
        gateway=_gateway(arguments),
        market=_market(arguments),
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


def _habits(arguments: argparse.Namespace, settings: S) -> S:
    """How payers answer and how long things take, the same at every operator."""
    return msgspec.structs.replace(
        settings,
        approval=arguments.approval,
        approval_window_seconds=arguments.approval_window_seconds,
        processing_seconds=arguments.processing_seconds,
        callback_delay_seconds=arguments.callback_delay_seconds,
    )


def _gateway(arguments: argparse.Namespace) -> GatewaySettings:
    return GatewaySettings(
        callback_delay_seconds=arguments.callback_delay_seconds,
        delivery_report_url=arguments.delivery_report_url,
        sms_in_url=arguments.sms_in_url,
    )


def _market(arguments: argparse.Namespace) -> MarketSettings:
    return MarketSettings(
        noise_bp=arguments.rate_noise_bp, publish_seconds=arguments.rate_publish_seconds
    )

"""Airtel Money: `adapter` asks, `api` sends, `answers` reads. Facts: `airtel-money.md`."""

from providers.airtel_money.adapter import AirtelMoney
from providers.airtel_money.building import build_airtel
from providers.airtel_money.markets import MARKETS, Market
from providers.airtel_money.settings import AirtelMoneySettings, CallbackHash, RefundBy

__all__ = [
    "MARKETS",
    "AirtelMoney",
    "AirtelMoneySettings",
    "CallbackHash",
    "Market",
    "RefundBy",
    "build_airtel",
]

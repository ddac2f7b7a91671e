"""Orange Money: four APIs, one class each; which one is the country's affair (`markets.py`)."""

from providers.orange_money.b2b import B2b, B2bSettings
from providers.orange_money.building import build_orange
from providers.orange_money.core import Core, CoreSettings
from providers.orange_money.markets import MARKETS, Api, Market
from providers.orange_money.wallet import EWallet, EWalletSettings
from providers.orange_money.web_payment import WebPayment, WebPaymentSettings

__all__ = [
    "MARKETS",
    "Api",
    "B2b",
    "B2bSettings",
    "Core",
    "CoreSettings",
    "EWallet",
    "EWalletSettings",
    "Market",
    "WebPayment",
    "WebPaymentSettings",
    "build_orange",
]

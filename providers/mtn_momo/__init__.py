"""MTN MoMo: `adapter` asks, `product` sends, `answers` reads, `markets` holds the countries.

Facts: reference `mtn-momo.md`.
"""

from providers.mtn_momo.adapter import MtnMomo
from providers.mtn_momo.markets import MARKETS, UGANDA, Market
from providers.mtn_momo.product import MtnMomoSettings, reference_id

__all__ = ["MARKETS", "UGANDA", "Market", "MtnMomo", "MtnMomoSettings", "reference_id"]

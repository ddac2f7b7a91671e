"""MTN MoMo: `adapter` asks, `product` sends, `answers` reads. Facts: reference `mtn-momo.md`."""

from providers.mtn_momo.adapter import UGANDA, MtnMomo
from providers.mtn_momo.product import MtnMomoSettings, reference_id

__all__ = ["UGANDA", "MtnMomo", "MtnMomoSettings", "reference_id"]

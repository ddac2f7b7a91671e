"""Sandboxes of two sources of exchange rates, written from their formats alone."""

from simulator.rates.floatrates import floatrates_app
from simulator.rates.market import Market, MarketSettings
from simulator.rates.openexchangerates import openexchangerates_app

__all__ = ["Market", "MarketSettings", "floatrates_app", "openexchangerates_app"]

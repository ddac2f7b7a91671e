"""Limits, screening, risk: may this payment happen, and who must hear of it."""

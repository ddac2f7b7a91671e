"""Rates and quotes."""

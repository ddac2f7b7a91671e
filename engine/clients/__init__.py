"""Businesses that build on this installation: their keys, and the prices they were promised."""

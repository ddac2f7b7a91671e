"""Businesses told of their payments: who wants to know what, and telling them until they heard."""

"""The REST API: one table of endpoints, one way for every request through them."""

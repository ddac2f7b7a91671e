"""The story of a payment: what may happen next, what it costs, which way it goes."""

"""Money that customers send of their own accord: matched to a payment, or kept for people."""

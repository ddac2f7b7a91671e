"""Who of us may do what, and everything that was read or done by them."""

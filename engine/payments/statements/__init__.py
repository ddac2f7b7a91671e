"""What operators list, against what our books say: statements, balances, and what differs."""

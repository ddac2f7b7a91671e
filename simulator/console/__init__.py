"""A small desk for the operators' side: wallets, waiting prompts, faults on and off, settings."""

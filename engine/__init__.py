"""The payment engine: sessions, payments, ledger. It speaks no company's words and no HTTP."""

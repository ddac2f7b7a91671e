"""One adapter per company we call. Here, and only here, live a company's words and quirks."""

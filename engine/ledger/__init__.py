"""The books: chart of accounts, postings, and the one writer of money."""

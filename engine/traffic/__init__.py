"""What operators and we say to each other, kept redacted for support."""

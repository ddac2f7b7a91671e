"""One dialogue on a phone: a turn in, a screen out."""

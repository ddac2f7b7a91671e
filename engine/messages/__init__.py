"""Everything that leaves as an SMS: how it is written, cut, sent once, and what became of it."""

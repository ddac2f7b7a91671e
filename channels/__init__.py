"""The front door: everything that arrives over HTTP, and the start of every process."""

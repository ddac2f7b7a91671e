"""HTTP itself: the server, its doors, and who is refused before anybody looks."""

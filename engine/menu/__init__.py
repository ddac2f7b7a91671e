"""What a menu may say, what `menus/` does say, and the proof that it may be served."""

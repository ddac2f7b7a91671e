"""Two feature phones in a terminal; over HTTP like everything in this room."""

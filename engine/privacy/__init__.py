"""What keeps people's numbers, names and words unreadable in the database (`README.md`)."""

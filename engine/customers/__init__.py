"""Who dials: language, PIN, saved choices."""

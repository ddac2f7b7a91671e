"""Who may send how much to whom: limits, sanctions lists, patterns. It moves no money."""

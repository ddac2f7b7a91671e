"""How a running process is watched: logs, counts, traces, health, faults. It decides nothing."""

"""Real processes killed at real points, restarted, and held against the exchange."""

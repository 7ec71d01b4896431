"""Drills: the exchange does what nobody hopes for, and the runner comes to its right end."""

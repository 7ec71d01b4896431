"""Plays recorded prices through rules on a virtual clock, and counts what would have come of it."""

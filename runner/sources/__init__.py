"""Wakes the runner: alerts that come in by HTTP, and times that come due."""

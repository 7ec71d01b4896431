"""Figures for Prometheus: counted as decisions pass, and read from the runner when asked."""

"""Remembers: every event, decision, order and outcome, durably."""

"""Tells people what happens: notices from decisions, each target with a thread of its own."""

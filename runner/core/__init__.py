"""Decides: events and rules in, decisions out; pure, without I/O, clock or threads."""

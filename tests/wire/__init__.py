"""Faults at the wire, through real sockets."""

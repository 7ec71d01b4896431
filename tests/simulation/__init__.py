"""Seeded histories of the whole runner against a modelled exchange with faults."""

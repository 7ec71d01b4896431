"""Plays tests of rules on a virtual clock: the real engine, journal, adapter and paper exchange."""

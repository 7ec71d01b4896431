"""Tests of replays of recorded prices."""

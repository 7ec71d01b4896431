"""Tests of what plays the tests of rules."""

"""The benchmarks: each compares in one run, as ratios; none is a timed test."""

"""The tests, in folders that mirror runner/."""

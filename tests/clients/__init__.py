"""Other people's clients on the paper exchange, each in a process of its own."""

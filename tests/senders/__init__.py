"""What breaks others: senders that behave like TradingView, real processes, real sockets."""

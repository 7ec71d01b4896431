"""Speaks to Binance USDⓈ-M futures, or to anything that serves the same interface."""

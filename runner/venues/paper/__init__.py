"""The paper exchange: USDⓈ-M futures REST and WebSockets on loopback over a pure engine."""

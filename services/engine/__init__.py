"""The engine service: the single writer of the trading state."""

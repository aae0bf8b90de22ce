"""Identifiers, assets, instruments and their index, orders, fills, balances, numbers."""

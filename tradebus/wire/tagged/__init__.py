"""The JSON forms of the reference, as decoded values: what its configurations and recordings are written in.

A union is written with its variant's name outside: ``"Market"``, ``{"GoodUntilCancelled": {"post_only": true}}``.
Decimals are written as text and read from text or whole numbers; a fraction is read from its shortest text. These forms
are for exchange with the reference alone; what Tradebus sends and stores is the contract in ``proto/``.
"""

"""Journals: sealing batches into a chain, appending them as the only writer, reading and verifying them."""

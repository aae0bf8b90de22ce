"""The execution service: the owner of accounts, here of simulated ones."""

"""The contract: generated messages, one codec module per ``.proto``, subjects and integrity headers."""

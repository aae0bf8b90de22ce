"""One module per ``.proto`` file: core values to messages and back, and messages to bytes and back."""

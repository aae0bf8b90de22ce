"""The sections of the configuration, a module per family."""

"""The services and what starts them: thin shells around the library, run from a checkout or an image."""

"""Turn the feeds of venues into one event model and publish it."""

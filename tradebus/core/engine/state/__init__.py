"""The trading state, part by part."""

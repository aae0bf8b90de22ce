"""Streams: what each tick changed, told to many readers, without a gap and without a repeat."""

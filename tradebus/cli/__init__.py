"""The command line: a thin shell around the library. It needs the extra `cli`; `entry` says so where it is missing."""

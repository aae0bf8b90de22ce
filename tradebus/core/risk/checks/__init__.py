"""The risk checks that come with the library, a file each."""

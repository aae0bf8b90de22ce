"""Ready-made strategies to start from: ordinary Python over the compiled core."""

"""What a run was worth: metrics, tear sheets, equity, and the summary of them. Projections of ticks, never state."""

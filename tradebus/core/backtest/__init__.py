"""Engine and simulated exchanges merged in virtual time."""

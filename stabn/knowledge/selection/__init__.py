"""Step 1: which videos are worth a person's time."""

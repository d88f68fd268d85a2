"""Step 3: a network learns from the edits."""

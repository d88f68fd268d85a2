"""Step 2: what an edit is, how edits travel, and how far people agree."""

"""A video file → frames → a clip → batches."""

"""Edits kept safe, by one person or by many at once."""

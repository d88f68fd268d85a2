"""Experiments whose records the book shows; nothing that users import."""

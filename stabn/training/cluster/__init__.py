"""Processes and machines that train together."""

"""The editor of temporal attention in a notebook."""

"""The editor of temporal attention in a notebook."""

from stabn.extras import needs

needs("app", "anywidget")

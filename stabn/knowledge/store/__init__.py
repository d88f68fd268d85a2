"""Edits kept safe, by one person or by many at once."""

from stabn.extras import needs

needs("app", "sqlalchemy")

"""The annotators' and the organiser's pages."""

from stabn.extras import needs

needs("app", "voila")

"""The annotators' and the organiser's pages."""

"""What builds and checks the book. Nothing here is imported by the library or by a chapter."""

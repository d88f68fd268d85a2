"""mini-SSv2: a synthetic set in Something-Something v2's own files, with its truth."""

"""ST-ABN: a video classifier that shows where and when it looks, and that people can correct."""

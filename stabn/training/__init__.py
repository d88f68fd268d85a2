"""A described run → trained weights, predictions and a record of how they came to be."""

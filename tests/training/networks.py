"""Of what the networks are that tests of checkpoints build."""

CLASSES = ("Covering", "Dropping", "Lifting")

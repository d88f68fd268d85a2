"""A clip → features → attention → logits."""

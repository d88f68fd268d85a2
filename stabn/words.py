"""Words that depend on a number."""


def counted(count: int, noun: str) -> str:
    """``"1 process"``, ``"2 processes"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{'es' if noun[-1] == 's' else 's'}"

"""Times in texts: written in UTC, shown by the page in the zone of whoever reads."""

import re
from datetime import datetime

_STAMPED = re.compile(r"\d{4}-\d\d-\d\dT(\d\d:\d\d):\d\dZ")


def stamp(moment: datetime) -> str:
    """A time (UTC) in a text, as :func:`marked` finds it: 2024-05-17T09:30:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def marked(markup: str) -> str:
    """HTML in which every stamp is an element for the page, which reads "09:30 UTC" without it."""
    return _STAMPED.sub(r"<time datetime='\g<0>'>\1 UTC</time>", markup)

"""What the levels mean: as for Something-Something's videos, or as somebody's own file says."""

from pathlib import Path

import mistune

from stabn.errors import UserError

# What the levels mean where videos show hands and things, as Something-Something's do.
LEVELS = """
<ul>
<li><b>1</b>: the action that the title names is going on in this frame: from the frame in which the
hand has reached its thing to the last one before the hand goes away.</li>
<li><b>0.5</b>: it is not, but the frame helps to understand it: the hand comes or goes, and can be
seen, if only a finger at the edge.</li>
<li><b>0</b>: nothing in this frame has to do with it. The thing that only lies there is 0, and so
is whatever else moves.</li>
</ul>
"""


class GuidelinesError(UserError):
    """Guidelines that cannot be shown; the message names the file and the remedy."""


def read_levels(file: Path) -> str:
    """What the levels mean in somebody's own task, as HTML; tags that stand in the file are text.

    Args:
        file: Markdown, UTF-8.

    Raises:
        GuidelinesError: it cannot be read, or is empty.
    """
    try:
        words = file.read_text(encoding="utf-8")
    except OSError as error:
        raise GuidelinesError(f"{file}: cannot be read ({error.strerror}); name a file") from error
    except UnicodeDecodeError as error:
        raise GuidelinesError(f"{file}: is no text in UTF-8; save it as Markdown") from error
    if not words.strip():
        raise GuidelinesError(f"{file}: is empty; say in it what 1, 0.5 and 0 mean in your videos")
    return str(mistune.create_markdown(escape=True)(words))

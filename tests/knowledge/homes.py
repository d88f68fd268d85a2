"""A home for a server that is to find nothing of this user's."""

import os
from pathlib import Path


def environment(home: Path) -> dict[str, str]:
    """In which Jupyter and its kernels look for their files in ``home`` alone."""
    places = {
        "HOME": home,
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
    }
    return os.environ | {name: str(place) for name, place in places.items()}

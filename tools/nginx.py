"""An nginx for the test of the pages behind a proxy: the one that is here, or one to be fetched."""

import shutil
import sys

from tools.packages import fetch

HINT = "nginx is not installed: Debian or Ubuntu: sudo apt-get install nginx-light"


def find() -> str | None:
    """Its path; None where there is none."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def main() -> int:
    """For ``make test``: never fails, the test says that it is left out."""
    if find() is None:
        print("▶ no nginx here: fetching one for the test of the pages behind it", flush=True)
        fetch("nginx-light")
    path = find()
    print(f"nginx for the test of the pages behind it: {path}" if path else HINT, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Packages of the system itself, for tests that need a program: fetched where we may do so."""

import os
import shutil
import subprocess


def fetch(*packages: str) -> None:
    """Install them with apt-get, as root; elsewhere nothing happens."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        subprocess.run(["apt-get", "update", "-qq"], env=quiet)
        subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL)

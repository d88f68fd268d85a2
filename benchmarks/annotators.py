"""How many annotators does one machine hold, and how long does each wait for the first video?

Serves the real pages, opens them in headless Chromium for n visitors, lets each type a name, and
measures their kernels: USS (what one more annotator costs) and PSS (with a fair share of what they
have in common), beside a bare kernel that has imported ipywidgets alone.

    python benchmarks/annotators.py                        # on a small set, made here
    python benchmarks/annotators.py --queue runs/mini_st_abn/queue --visitors 8
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median

import psutil
from jupyter_client.manager import start_new_kernel
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import browser as chromium

MIB, GIB = 2**20, 2**30
MACHINE, SYSTEM = 16 * GIB, 2 * GIB  # of which the system and its caches need some


def small_queue(folder: Path) -> Path:
    """A queue of 12 small videos from a network of one epoch: real, but worth nothing."""
    from stabn.data.mini import make as mini
    from stabn.knowledge.selection.select import SelectConfig, select
    from stabn.training.config import RunConfig, parse
    from stabn.training.train import train

    templates = mini.SIZES["mini"].templates[:4]
    size = mini.Size(128, templates, train=3, validation=1, tuning=1)
    data = mini.generate(folder / "data", size, jobs=1)
    values = {"name": "small", "out_dir": str(folder / "runs"), "data_root": str(data)}
    values |= {"eval_split": "tuning", "backbone": "small", "num_frames": 16, "image_size": 64}
    values |= {"epochs": 1, "batch_size": 4, "workers": 0}
    config = parse(RunConfig, values, "benchmark")
    train(config)
    asked = {"run": str(config.folder), "classes": [0, 1, 2, 3], "include_correct": True}
    return select(parse(SelectConfig, asked, "benchmark"))


def bare_kernel() -> int:
    """USS in bytes of a kernel that has imported ipywidgets."""
    manager, client = start_new_kernel()
    try:
        client.execute_interactive("import ipywidgets", timeout=120)
        return psutil.Process(manager.provisioner.pid).memory_full_info().uss
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def visit(page, address: str, name: str) -> tuple[float, float]:
    """Seconds from opening the address to the guidelines, and from the name to the video."""
    begun = time.perf_counter()
    page.goto(address)
    page.get_by_role("button", name="I am new").click()
    field = page.get_by_role("textbox", name="Your name")
    field.wait_for()
    opened = time.perf_counter()
    field.fill(name)
    field.press("Enter")
    page.get_by_text(re.compile(r"^video \d+ of \d+")).wait_for()
    page.wait_for_function("document.querySelector('.stabn-editor canvas, .stabn-editor img')")
    return opened - begun, time.perf_counter() - opened


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--queue", type=Path, help="(default: one of small videos, made here)")
    parser.add_argument("--visitors", type=int, default=4)
    arguments = parser.parse_args()
    bare = bare_kernel()
    with tempfile.TemporaryDirectory() as folder:
        queue = arguments.queue or small_queue(Path(folder))
        command = [sys.executable, "-m", "stabn", "annotate", "--ready", "0"]
        command += ["--queue", str(queue)]
        command += ["--store", f"{folder}/edits.sqlite", "--port", "18766"]
        command += ["--organiser-port", "18767", "--token", "benchmark"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            while b"Ctrl-C" not in (line := server.stdout.readline()):
                assert line, "the server did not start: run it by hand to see why"
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium.find(playwright), args=chromium.FLAGS
                )
                pages = [browser.new_context().new_page() for _ in range(arguments.visitors)]
                waits = [
                    visit(page, "http://127.0.0.1:18766/?token=benchmark", f"visitor {number}")
                    for number, page in enumerate(pages)
                ]
                process = psutil.Process(server.pid)
                kernels = [kernel.memory_full_info() for kernel in process.children()]
                own = process.memory_full_info().uss
                browser.close()
        finally:
            server.terminate()
            server.wait(60)
    uss = mean(kernel.uss for kernel in kernels)
    pss = mean(getattr(kernel, "pss", kernel.uss) for kernel in kernels)
    opened, shown = (median(column) for column in zip(*waits, strict=True))
    shared = sum(getattr(kernel, "pss", kernel.uss) - kernel.uss for kernel in kernels)
    holds = int((MACHINE - SYSTEM - own - shared) / uss)
    print(f"{len(kernels)} annotators at once, each with a video and its probabilities open")
    print(f"  memory of each: USS {uss / MIB:.0f} MiB, PSS {pss / MIB:.0f} MiB")
    print(f"  memory of the server: USS {own / MIB:.0f} MiB")
    print(f"  beside a bare kernel with ipywidgets ({bare / MIB:.0f} MiB)  ratio {uss / bare:.1f}")
    print(f"  to the guidelines {opened:.1f} s, from the name to the first video {shown:.1f} s")
    print(f"  a machine of 16 GiB (2 of them the system's) holds {holds} annotators")


if __name__ == "__main__":
    main()

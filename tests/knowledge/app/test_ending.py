"""A server that is asked to end does."""

import signal
import subprocess
import sys

import pytest

from stabn.knowledge.app.ending import end_on_signals

SERVER = """
import sys
from stabn.knowledge.app.ending import end_on_signals
end_on_signals(lambda: None, grace=1)
print("ready", flush=True)
while True:
    pass  # as an event loop does that is lost in a message
"""


@pytest.mark.slow(2)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_loop_that_spins_is_ended(number):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout.readline() == "ready\n"
        server.send_signal(number)
        _, said = server.communicate(timeout=120)
    finally:
        server.kill()
    assert (server.returncode, said.count("not ended after 1 s")) == (1, 1)


def test_who_asks_again_wins_no_time():
    kept = {n: signal.getsignal(n) for n in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM)}
    asked = []
    try:
        end_on_signals(lambda: asked.append(signal.getitimer(signal.ITIMER_REAL)[0]), 100)
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.alarm(0)
        for number, handler in kept.items():
            signal.signal(number, handler)
    assert 100 >= asked[0] >= asked[1] >= asked[2] > 0

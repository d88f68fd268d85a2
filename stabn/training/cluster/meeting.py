"""The machines of a run meet, and torchrun is told where.

The launcher on the machine of ``rdzv_endpoint`` is the host, every other one is its guest. The host
holds the store in which torchrun's c10d rendezvous takes place, at a port of its own: so a taken
port, another run, or a machine that does not come is told at once, and in plain words.
"""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from torch.distributed import TCPStore

from stabn.training.cluster.machines import Link, Machines
from stabn.training.config import ConfigError

MEET_WITHIN = 600  # seconds that machines wait for one another
ANSWER_WITHIN = 10  # seconds in which a launcher answers one that arrives


@contextmanager
def meeting(endpoint: str, count: int, run: str) -> Iterator[Machines]:
    """Wait until all machines of a run are there, and keep together.

    Args:
        endpoint: host:port; the machine that has this address is the host.
        count: number of machines.
        run: what they are to do, in words; the same on all.

    Raises:
        ConfigError: no such host; its port is taken by another program; nobody, or another run, is
            there. The message names ``rdzv_endpoint`` and the remedy.
    """
    name, _, port = endpoint.rpartition(":")
    if not (name and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ConfigError(f"rdzv_endpoint: {endpoint!r} is not host:port, as in node1:29500")
    try:
        address = (socket.gethostbyname(name), int(port))
    except OSError as error:
        raise ConfigError(f"rdzv_endpoint: no host {name!r} is known here ({error})") from error
    listener = _listener(address)
    if listener is None:
        machines = _arrive(address, endpoint, count, run)
    else:
        with listener:
            store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
            machines = _receive(listener, store.port, endpoint, count, run)
    try:
        yield machines
    finally:
        machines.close()


def _listener(address: tuple[str, int]) -> socket.socket | None:
    """A socket that listens at the address; None where that is for another launcher to do."""
    with socket.socket() as trial:
        try:
            trial.bind((address[0], 0))
        except OSError:
            return None  # another machine's address
    try:
        # at all of its addresses: to itself, a machine's name may mean 127.0.1.1
        return socket.create_server(("", address[1]))
    except PermissionError as error:
        raise ConfigError("rdzv_endpoint: ports below 1024 are reserved") from error
    except OSError:
        return None  # taken: by another launcher on this very machine, if all is well


def _receive(listener: socket.socket, port: int, endpoint: str, count: int, run: str) -> Machines:
    """The host's part of a meeting: wait for the guests, then tell them the port of the store."""
    guests: list[Link] = []
    until = time.monotonic() + MEET_WITHIN
    numbers = iter(range(2, 1 << 30))
    print(f"waiting at {endpoint} for the other machines ({count} in all)", flush=True)
    while len(guests) < count - 1:
        if time.monotonic() > until:
            raise ConfigError(
                f"rdzv_endpoint: only {1 + len(guests)} of {count} machines came to {endpoint} "
                f"within {MEET_WITHIN} s; run the same notebook on each, with the same parameters"
            )
        ready = select.select([listener, *(g.connection for g in guests)], [], [], 1)[0]
        guests = [g for g in guests if g.connection not in ready]  # it says no more: it has gone
        if listener not in ready:
            continue
        connection, (host, *_) = listener.accept()
        link = Link(connection, f"machine {next(numbers)} ({host})")
        try:
            hello = link.answer(ANSWER_WITHIN / 3)
            link.machine = f"{link.machine.rstrip(')')}, {hello['machine']})"
            if hello["run"] != run:
                link.send(refused=run)
                raise ValueError(f"it is here for {hello['run']}")
            link.send(welcome=link.machine)
        except (OSError, ValueError, KeyError) as error:
            print(f"turned away {link.machine}: {error}", flush=True)
            connection.close()
        else:
            guests.append(link)
    me = f"machine 1 ({guests[0].connection.getsockname()[0]}, {socket.gethostname()})"
    for guest in guests:
        here = guest.connection.getsockname()[0]
        guest.send(store=f"{here}:{port}", machine=me)
        guest.heard = time.monotonic()
    return Machines(me, guests, f"127.0.0.1:{port}", hosts=True, count=count)


def _arrive(address: tuple[str, int], endpoint: str, count: int, run: str) -> Machines:
    """A guest's part of a meeting: find the host, and wait until all are there."""
    until = time.monotonic() + MEET_WITHIN
    print(f"looking for the host at {endpoint}", flush=True)
    while True:
        try:
            connection = socket.create_connection(address, timeout=5)
            break
        except OSError as error:
            if time.monotonic() > until:
                raise ConfigError(
                    f"rdzv_endpoint: nobody answered at {endpoint} within {MEET_WITHIN} s "
                    f"({error}); is the notebook running there, and no firewall between?"
                ) from error
            time.sleep(1)
    link = Link(connection, f"machine 1 ({address[0]})")
    link.send(machine=socket.gethostname(), run=run)
    try:
        answer = link.answer(ANSWER_WITHIN)
        refused, me = answer.get("refused"), answer.get("welcome")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"rdzv_endpoint: the port of {endpoint} is taken by another program; choose another one"
        ) from error
    if refused:
        raise ConfigError(
            f"rdzv_endpoint: at {endpoint} there is {refused}, here {run}: start the same on all "
            f"machines, or choose another port for this run"
        )
    try:
        start = link.answer(MEET_WITHIN)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"rdzv_endpoint: the host at {endpoint} has gone before all machines were there"
        ) from error
    link.machine = start["machine"]
    return Machines(me, [link], start["store"], hosts=False, count=count)

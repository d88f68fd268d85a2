"""No benchmark: times of peers taken in turns in one process, and what other work does to them.

Before and after each sample two large matrices are multiplied. A product that takes longer than the
machine can do it says that something else had the cores, and its turn is left out.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import torch
from measured import seconds_of

MATRIX = 2048  # rows of the matrices
LEAST = 5  # turns that a median is taken over
QUIET = 0.8  # of the machine's rate: what the products beside a quiet sample reach
CPU = torch.device("cpu")


class Product(NamedTuple):
    """GFLOP/s of one product of two matrices: by the clock, and by the CPU time it took.

    Other work on the machine lowers the first, and the second little.
    """

    clock: float
    core: float


class Turn(NamedTuple):
    """Seconds of each way, by name, and the products before, between and after them."""

    seconds: Mapping[str, float]
    products: list[Product]


class Spread(NamedTuple):
    """A median over turns, and the lowest and highest of them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Turns:
    """Turns of one run.

    Attributes:
        all: every one, as they were taken.
    """

    all: list[Turn]

    @property
    def best(self) -> float:
        """What the machine can do, in GFLOP/s: the best product by CPU time."""
        return max(product.core for turn in self.all for product in turn.products)

    @property
    def rate(self) -> float:
        """GFLOP/s that large matrices were multiplied at by the clock, at best."""
        return max(product.clock for turn in self.all for product in turn.products)

    @property
    def quiet(self) -> list[Turn]:
        """Turns in which every product was as quick as the machine can do it, or nearly."""
        least = QUIET * self.best
        return [turn for turn in self.all if min(p.clock for p in turn.products) >= least]

    @property
    def used(self) -> list[Turn]:
        """The quiet turns; all of them where too few are quiet."""
        return self.quiet if len(self.quiet) >= LEAST else self.all

    def seconds(self, way: str) -> float:
        """Of a way, the median."""
        return median(turn.seconds[way] for turn in self.used)

    def ratio(self, way: str, peer: str) -> Spread:
        """Seconds of a way over its peer's in the same turn."""
        return spread(turn.seconds[way] / turn.seconds[peer] for turn in self.used)

    def told(self) -> str | None:
        """How many turns other work fell on, and what became of them; None: on none."""
        loaded = len(self.all) - len(self.quiet)
        if not loaded:
            return None
        kept = "left out" if self.used == self.quiet else f"kept, as fewer than {LEAST} were quiet"
        return f"{loaded} of {len(self.all)} turns under other load, {kept}"


def spread(values: Iterable[float]) -> Spread:
    """Median, lowest and highest."""
    values = sorted(values)
    return Spread(median(values), values[0], values[-1])


def by_the_clock(way: Callable[[], object]) -> float:
    """Seconds of a call."""
    begun = time.perf_counter()
    way()
    return time.perf_counter() - begun


def in_turns(
    ways: Mapping[str, Callable[[], object]],
    seconds: Callable[[Callable[[], object]], float] = by_the_clock,
    product: Callable[[], Product] | None = None,
    most: int = 2 * LEAST,
) -> Turns:
    """Time every way in turns, until enough of them were quiet, or ``most`` were taken.

    Args:
        ways: name → what is timed; each is called once before, for memory and kernels.
        seconds: how a call is timed.
        product: multiplies two matrices; by default of 2048 rows, on all of PyTorch's threads.
        most: turns.
    """
    product = product or multiplying()
    for way in ways.values():
        way()
    turns = Turns([])
    while len(turns.quiet if turns.all else []) < LEAST and len(turns.all) < most:
        taken, products = {}, [product()]
        for name, way in ways.items():
            taken[name] = seconds(way)
            products.append(product())
        turns.all.append(Turn(taken, products))
    return turns


def multiplying(n: int = MATRIX) -> Callable[[], Product]:
    """A function that multiplies the same two n×n matrices and says how quickly."""
    a, b = (torch.randn(n, n) for _ in range(2))
    torch.mm(a, b)

    def product() -> Product:
        core, clock = seconds_of(lambda: torch.mm(a, b), CPU)
        gflop = 2 * n**3 / 1e9
        return Product(gflop / clock, gflop / core if core else math.inf)

    return product

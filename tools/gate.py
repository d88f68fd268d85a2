"""Who may run now: the most urgent steps, as many as the cores and the memory bear."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cost:
    """What a step is expected to take.

    Attributes:
        seconds: its time.
        memory: bytes at its peak.
        threads: the most it has use for; None for a step that uses every core by itself.
    """

    seconds: float
    memory: int
    threads: int | None


@dataclass
class Slot:
    """A step at the gate: waiting at first, then inside with ``threads`` of its own.

    Attributes:
        urgency: the greater, the sooner.
        memory: bytes it holds now.
        threads: what it was given; 0 when the gate was closed before its turn.
    """

    name: str
    urgency: float
    cost: Cost
    memory: int = 0
    threads: int = 0
    answered: threading.Event = field(default_factory=threading.Event)


class Gate:
    """Lets steps in, strictly the most urgent first: a small one does not overtake.

    A step that does not fit beside the others waits until some have ended; alone it always runs.

    Args:
        cores: to be shared out.
        free: gives the bytes of memory that can still be taken.

    Attributes:
        peak: the most bytes that all steps inside have held together.
    """

    def __init__(self, cores: int, free: Callable[[], int]):
        self.peak = 0
        self._cores, self._free = cores, free
        self._waiting: list[Slot] = []
        self._inside: list[Slot] = []
        self._closed = self._settled = False
        self._lock = threading.RLock()

    def join(self, slot: Slot) -> None:
        """Queue; nobody is let in before :meth:`admit`, when all who are ready have come."""
        with self._lock:
            self._settled = False
            self._waiting.append(slot)

    def leave(self, slot: Slot) -> None:
        """A step has ended. Whom it leaves room for is asked when its successors have come too."""
        with self._lock:
            self._settled = False
            self._inside = [other for other in self._inside if other is not slot]

    def admit(self) -> None:
        """Let in whoever fits: all who are ready have come."""
        with self._lock:
            self._settled = True
            while self._waiting and not self._closed:
                slot = max(self._waiting, key=lambda slot: slot.urgency)
                slot.threads = self._share(slot) if self._fits(slot) else 0
                if not slot.threads:
                    return
                self._waiting.remove(slot)
                self._inside.append(slot)
                slot.answered.set()

    def measured(self, slot: Slot, memory: int) -> None:
        """Note the bytes that a step inside holds now, and look again whether the next one fits."""
        with self._lock:
            slot.memory = memory
            self.peak = max(self.peak, sum(other.memory for other in self._inside))
            if self._settled:
                self.admit()

    def close(self) -> None:
        """Let nobody in any more; those who wait are answered with no threads."""
        with self._lock:
            self._closed = True
            for slot in self._waiting:
                slot.answered.set()

    def _share(self, slot: Slot) -> int:
        """Its threads: one for everybody who waits, and what is left over to the most urgent."""
        spare = self._cores - sum(other.threads for other in self._inside)
        if slot.cost.threads is None:
            return spare if not self._inside else 0
        return min(slot.cost.threads, spare, max(1, spare - (len(self._waiting) - 1)))

    def _fits(self, slot: Slot) -> bool:
        to_come = sum(max(0, other.cost.memory - other.memory) for other in self._inside)
        return not self._inside or slot.cost.memory <= self._free() - to_come

"""A cache of training programs."""

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any


class ProgramCache:
    """Programs for reuse, each by one thread at a time.

    Parameters
    ----------
    max_size : int
        Maximum number of idle programs; the least recently used are evicted.
    max_bytes : int
        Maximum size of the variables of all idle programs.
    collect : callable, default=gc.collect
        Function that frees evicted programs, called for several at a time.
    """

    def __init__(
        self, max_size: int, max_bytes: int, collect: Callable[[], Any] = gc.collect
    ) -> None:
        self.max_size = max_size
        self.max_bytes = max_bytes
        self._collect = collect
        self._idle: OrderedDict[Hashable, list[Any]] = OrderedDict()
        self._n_idle = 0
        self._n_bytes = 0
        self._n_evicted = 0
        self._n_evicted_bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def checkout(self, spec: Hashable, make: Callable[[Any], Any]) -> Iterator[Any]:
        """Lend a program for `spec` to the calling thread; make one if none is idle.

        Parameters
        ----------
        spec : hashable
        make : callable
            Function that makes a program from a spec.
        """
        program = self._take(spec) or make(spec)
        yield program
        # Not reached if the training failed: its program is not used again.
        self._give_back(spec, program)
        del program  # it may have been evicted
        self._free_evicted()

    def _take(self, spec: Hashable) -> Any:
        with self._lock:
            programs = self._idle.get(spec)
            if not programs:
                return None
            return self._remove(spec)

    def _give_back(self, spec: Hashable, program: Any) -> None:
        with self._lock:
            self._idle.setdefault(spec, []).append(program)
            self._idle.move_to_end(spec)
            self._n_idle += 1
            self._n_bytes += program.n_bytes
            while self._n_idle > self.max_size or self._n_bytes > self.max_bytes:
                evicted = self._remove(next(iter(self._idle)))
                self._n_evicted += 1
                self._n_evicted_bytes += evicted.n_bytes

    def _free_evicted(self) -> None:
        """Free evicted programs once there are as many as may be kept.

        Their models and graphs are reference cycles, which Python may not collect
        before there are dozens of them. A collection takes 0.1 s or more, so it is
        not run after every program.
        """
        with self._lock:
            too_many = self._n_evicted >= self.max_size
            if not too_many and self._n_evicted_bytes < self.max_bytes:
                return
            self._n_evicted = self._n_evicted_bytes = 0
        self._collect()

    def _remove(self, spec: Hashable) -> Any:
        program = self._idle[spec].pop()
        if not self._idle[spec]:
            del self._idle[spec]
        self._n_idle -= 1
        self._n_bytes -= program.n_bytes
        return program


programs = ProgramCache(max_size=8, max_bytes=256 * 2**20)

"""Compiled programs, kept to be used again."""

import gc
import threading
from collections import OrderedDict
from contextlib import contextmanager


class ProgramCache:
    """Programs to use again, each by one thread at a time.

    Parameters
    ----------
    max_size : int
        How many idle programs are kept, the most recently used ones.
    max_bytes : int
        What their variables may take together.
    collect : callable, default=gc.collect
        Frees evicted programs. It is called for some at a time.
    """

    def __init__(self, max_size, max_bytes, collect=gc.collect):
        self.max_size = max_size
        self.max_bytes = max_bytes
        self._collect = collect
        self._idle = OrderedDict()
        self._n_idle = 0
        self._n_bytes = 0
        self._n_evicted = 0
        self._n_evicted_bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def checkout(self, spec, make):
        """Lend a program for `spec` to the calling thread, made if none is idle.

        Parameters
        ----------
        spec : hashable
        make : callable
            Makes a program of a spec.
        """
        program = self._take(spec) or make(spec)
        yield program
        # Reached unless the training failed: what failed is not used again.
        self._give_back(spec, program)
        del program  # it may have been evicted
        self._free_evicted()

    def _take(self, spec):
        with self._lock:
            programs = self._idle.get(spec)
            if not programs:
                return None
            return self._remove(spec)

    def _give_back(self, spec, program):
        with self._lock:
            self._idle.setdefault(spec, []).append(program)
            self._idle.move_to_end(spec)
            self._n_idle += 1
            self._n_bytes += program.n_bytes
            while self._n_idle > self.max_size or self._n_bytes > self.max_bytes:
                evicted = self._remove(next(iter(self._idle)))
                self._n_evicted += 1
                self._n_evicted_bytes += evicted.n_bytes

    def _free_evicted(self):
        """Collect evicted programs if they exceed what may be kept.

        Their models and graphs are reference cycles, for which Python itself may not
        look before there are dozens of them. Looking takes a tenth of a second or
        more, so not after every program.
        """
        with self._lock:
            too_many = self._n_evicted >= self.max_size
            if not too_many and self._n_evicted_bytes < self.max_bytes:
                return
            self._n_evicted = self._n_evicted_bytes = 0
        self._collect()

    def _remove(self, spec):
        program = self._idle[spec].pop()
        if not self._idle[spec]:
            del self._idle[spec]
        self._n_idle -= 1
        self._n_bytes -= program.n_bytes
        return program


programs = ProgramCache(max_size=8, max_bytes=256 * 2**20)

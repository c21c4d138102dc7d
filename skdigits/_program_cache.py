"""Compiled programs, kept to be used again."""

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
    """

    def __init__(self, max_size, max_bytes):
        self.max_size = max_size
        self.max_bytes = max_bytes
        self._idle = OrderedDict()
        self._n_idle = 0
        self._n_bytes = 0
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
                self._remove(next(iter(self._idle)))

    def _remove(self, spec):
        program = self._idle[spec].pop()
        if not self._idle[spec]:
            del self._idle[spec]
        self._n_idle -= 1
        self._n_bytes -= program.n_bytes
        return program


programs = ProgramCache(max_size=8, max_bytes=256 * 2**20)

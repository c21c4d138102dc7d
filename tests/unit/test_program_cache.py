"""Compiled programs that are lent, kept and forgotten."""

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdigits._training.program_cache import ProgramCache


@dataclass(eq=False)
class Program:
    spec: str
    n_bytes: int = 1


def use(cache, spec, n_bytes=1):
    """Borrow a program and give it back; whether it was there already."""
    made = []

    def make(spec):
        made.append(Program(spec, n_bytes))
        return made[0]

    with cache.checkout(spec, make) as program:
        assert program.spec == spec
    return not made


def ignore():
    pass


specs = st.lists(st.sampled_from("abcdef"), max_size=30)


@given(specs, st.integers(1, 4))
def test_the_most_recently_used_programs_are_kept(specs, max_size):
    cache, recent = ProgramCache(max_size, 1000, collect=ignore), []
    for spec in specs:
        assert use(cache, spec) == (spec in recent)
        recent = [*(other for other in recent if other != spec), spec][-max_size:]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=20))
def test_kept_programs_take_no_more_than_their_bytes(sizes):
    cache, kept = ProgramCache(1000, max_bytes=10, collect=ignore), []
    for number, n_bytes in enumerate(sizes):
        use(cache, number, n_bytes)
        kept.append(number)
        while sum(sizes[n] for n in kept) > 10:
            del kept[0]
    found = [number for number in range(len(sizes)) if use(cache, number, 0)]
    assert found == kept


@pytest.mark.parametrize(
    ("n_bytes", "collected_after"), [(1, [8, 12, 16]), (400, [5, 8, 11, 14])]
)
def test_evicted_programs_are_freed_some_at_a_time(n_bytes, collected_after):
    # Of one byte, four programs are kept and four wait; of 400, two and three.
    n_used, n_used_then = 0, []
    cache = ProgramCache(4, 1000, collect=lambda: n_used_then.append(n_used))
    for n_used in range(1, 17):
        use(cache, n_used, n_bytes)
    assert n_used_then == collected_after


def test_two_users_at_a_time_have_a_program_each():
    cache, made = ProgramCache(8, 1000), []

    def make(spec):
        made.append(Program(spec))
        return made[-1]

    with cache.checkout("a", make) as one, cache.checkout("a", make) as other:
        assert one is not other
    with cache.checkout("a", make) as one, cache.checkout("a", make) as other:
        assert one is not other
    assert len(made) == 2


def test_a_program_is_used_by_one_thread_at_a_time():
    cache, users, failures = ProgramCache(8, 1000), {}, []
    start = threading.Barrier(8)

    def work(name):
        start.wait()
        for _ in range(50):
            with cache.checkout("a", Program) as program:
                if users.setdefault(program, name) != name:
                    failures.append(program)
                del users[program]

    threads = [threading.Thread(target=work, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_program_that_failed_is_not_reused():
    cache = ProgramCache(8, 1000)
    use(cache, "a")
    with pytest.raises(RuntimeError), cache.checkout("a", Program):
        raise RuntimeError
    assert not use(cache, "a")

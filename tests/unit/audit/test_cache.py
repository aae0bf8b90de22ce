"""A long answer is given again while it is fresh, and its tag is always that of what is given."""

from typing import Protocol

from services.audit.api.cache import CACHE_FACTOR, CACHE_S_MAX, AnswerCache


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Builder:
    """Builds numbered answers, each in the same time."""

    def __init__(self, clock: Clock, takes_s: float) -> None:
        self.count = 0
        self._clock = clock
        self._takes_s = takes_s

    def __call__(self) -> str:
        self.count += 1
        self._clock.now_s += self._takes_s
        return f"answer {self.count}"


class Get(Protocol):
    def __call__(self, etag: str, commands: int = 0) -> tuple[str, str]: ...


def made(takes_s: float) -> tuple[Clock, Builder, Get]:
    clock = Clock()
    builder = Builder(clock, takes_s)
    cache = AnswerCache(clock)

    def get(etag: str, commands: int = 0) -> tuple[str, str]:
        built = cache.get("/v1/state", etag, commands, builder)
        return built.etag, built.body.decode()

    return clock, builder, get


def test_answer_is_given_again_for_six_times_as_long_as_it_took() -> None:
    clock, builder, get = made(0.01)
    assert get("1") == ("1", "answer 1")
    clock.now_s += 0.01 * CACHE_FACTOR - 0.001
    assert get("2") == ("1", "answer 1")
    clock.now_s += 0.002
    assert get("3") == ("3", "answer 2")
    assert builder.count == 2


def test_answer_from_before_a_command_was_decided_is_not_given_after_it() -> None:
    _, builder, get = made(0.01)
    assert get("1") == ("1", "answer 1")
    assert get("2", commands=1) == ("2", "answer 2")
    assert get("3", commands=1) == ("2", "answer 2")
    assert builder.count == 2


def test_answer_that_is_still_the_newest_never_ages() -> None:
    clock, builder, get = made(0.01)
    get("1")
    clock.now_s += 3_600
    assert get("1") == ("1", "answer 1")
    assert builder.count == 1


def test_slow_answer_is_not_kept_for_long() -> None:
    clock, _, get = made(10)
    get("1")
    clock.now_s += CACHE_S_MAX + 0.001
    assert get("2") == ("2", "answer 2")


def test_paths_are_kept_apart() -> None:
    cache = AnswerCache(Clock())
    assert cache.get("/v1/state", "1", 0, lambda: "state").body == b"state"
    assert cache.get("/v1/instruments", "1", 0, lambda: "instruments").body == b"instruments"

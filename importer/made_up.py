"""What samples are made of: pools of realistic words, and numbers that look as if drawn but never come twice."""

import math
from collections.abc import Callable, Sequence
from random import Random

#: Faker takes some 0.2 ms for a word, so that many are made once for a file and drawn from.
POOL = 1_500


def pools(random: Random, *kinds: str) -> list[Sequence[str]]:
    """For each of `kinds`, methods of Faker such as "first_name", POOL of its words or fewer, each once."""
    # Loading Faker takes half a second, for which only those should wait who make a sample.
    from faker import Faker

    faker = Faker("en_US")
    faker.seed_instance(int(random.random() * 2**53))
    made = {kind: [str(getattr(faker, kind)()).replace("\n", ", ") for _ in range(POOL)] for kind in kinds}
    return [list(dict.fromkeys(made[kind])) for kind in kinds]


def scattered(count: int, random: Random) -> Callable[[int], int]:
    """A function from the numbers below `count` to the same numbers in an order that looks drawn, one to one."""
    step, offset = _coprime_step(count), int(random.random() * count)
    return lambda number: (number * step + offset) % count


def _coprime_step(count: int) -> int:
    """A number near the golden section of `count`, which scatters evenly, without a common factor with it."""
    step = max(1, int(count * 0.6180339887))
    while math.gcd(step, count) != 1:
        step += 1
    return step

"""Sums of risk arrays with numpy: seconds of one product of amounts and arrays, as JSON.

    python3 array_sums.py ACCOUNTS POSITIONS

float64 is rounded; int64 is exact only while the sums are small, as they are not on the exchange.
"""

import json
import os
import sys
import time

# One thread, as the bench beside it.
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy  # noqa: E402

SCENARIOS = 38


def seconds(amounts, arrays):
    """The least of five spells, for others may use the machine."""
    start = time.perf_counter()
    amounts @ arrays
    calls = max(1, min(100_000, int(0.05 / (time.perf_counter() - start))))
    spells = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(calls):
            amounts @ arrays
        spells.append((time.perf_counter() - start) / calls)
    return min(spells)


def main():
    accounts, positions = (int(argument) for argument in sys.argv[1:])
    random = numpy.random.default_rng(1)
    amounts = random.integers(-1_000, 1_000, (accounts, positions))
    arrays = random.integers(0, 1 << 40, (positions, SCENARIOS))
    figures = {
        kind: seconds(amounts.astype(kind), arrays.astype(kind)) for kind in ("float64", "int64")
    }
    print(json.dumps(figures))


main()

"""Figures over rounds: a median, how far apart the rounds lie, and ratios taken round by round.

A round is {server: {metric: value}}. Machines are never as fast in one minute as in the next, so
a ratio is taken within each round, between servers measured seconds apart, and only then summed up.
"""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Spread:
    """What one figure was over all rounds."""

    median: float
    least: float
    most: float

    def inverse(self):
        return Spread(1 / self.median, 1 / self.most, 1 / self.least)


def spread(values):
    values = list(values)
    return Spread(statistics.median(values), min(values), max(values))


def figure(rounds, server, metric):
    """The metric's spread; None where no round has it."""
    values = [r[server][metric] for r in rounds if metric in r.get(server, {})]
    return spread(values) if values else None


def ratio(rounds, server, reference, metric):
    """The spread of server ÷ reference within the rounds that have both; None where none has."""
    values = [
        r[server][metric] / r[reference][metric]
        for r in rounds
        if metric in r.get(server, {}) and r.get(reference, {}).get(metric)
    ]
    return spread(values) if values else None


def rotated(names, round_number):
    """The order of one round: everybody is first, and follows everybody, equally often."""
    start = round_number % len(names)
    return [*names[start:], *names[:start]]

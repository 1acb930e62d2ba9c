"""Charts as numbers on a page: where each bar and line of an inline SVG goes (templates/admin/chart.html).

Across, everything is in per cent, so that a chart is as wide as its place and its letters keep their size; upwards in
pixels. Colours are classes. What a chart shows stands in a table below it, too: with the links, and for who listens.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

HEIGHT, TOP, BOTTOM = 200, 12, 170  # of the picture, and of the plot in it
LEFT = 8.0  # per cent, for the numbers of the scale
LABELS = 6  # along the bottom, at most
GAP = 0.22  # of a bar's place
Number = int | float


@dataclass(frozen=True)
class Series:
    """One kind of thing, with its number in each slot, and where the list of those is, if there is one."""

    name: str
    values: Sequence[Number]
    urls: Sequence[str] = ()

    @property
    def total(self) -> Number:
        return sum(self.values)


@dataclass(frozen=True)
class Shape:
    """A bar of a stack, or a piece of a line from (x, y) to (x2, y2); `kind` is the number of its series, from 1."""

    kind: int
    x: float
    y: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return round(self.x2 - self.x, 3)

    @property
    def height(self) -> float:
        return round(self.y2 - self.y, 2)


@dataclass(frozen=True)
class Slot:
    """One day or hour: its place, its name, and what is told of it where a mouse rests."""

    x: float
    middle: float
    label: str
    is_labelled: bool
    told: str


@dataclass(frozen=True)
class Tick:
    """A line of the scale."""

    y: float
    label: str


@dataclass(frozen=True)
class Chart:
    """All that the template draws."""

    key: str
    title: str
    summary: str
    series: Sequence[Series]
    slots: Sequence[Slot]
    ticks: Sequence[Tick]
    bars: Sequence[Shape] = ()
    pieces: Sequence[Shape] = ()
    height: int = HEIGHT
    bottom: int = BOTTOM
    left: float = LEFT

    @property
    def slot_width(self) -> float:
        return round((100 - LEFT) / len(self.slots), 3)

    def rows(self) -> Iterator[tuple[str, list[tuple[Number, str]]]]:
        """(slot, [(number, address or "") of each series]), the newest first: the table."""
        for index in reversed(range(len(self.slots))):
            cells = [(one.values[index], one.urls[index] if one.urls else "") for one in self.series]
            yield self.slots[index].label, cells


def lines(key: str, title: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """A line for each series."""
    slots = _slots(labels, series)
    ticks, y = _scale(max((max(one.values, default=0) for one in series), default=0))
    pieces = [
        Shape(kind, slots[index].middle, y(before), slots[index + 1].middle, y(after))
        for kind, one in enumerate(series, 1)
        for index, (before, after) in enumerate(pairwise(one.values))
        if before or after  # a line along the bottom says nothing
    ]
    return Chart(key, title, _summary(series, labels), series, slots, ticks, pieces=pieces)


def stacks(key: str, title: str, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """A stack for each label, of as many parts as there are series."""
    slots = _slots(labels, series)
    heights = [sum(column) for column in zip(*(one.values for one in series), strict=True)]
    ticks, y = _scale(max(heights, default=0))
    width = (100 - LEFT) / max(len(slots), 1)
    bars = [
        bar for index, slot in enumerate(slots) for bar in _stack(index, slot.x + width * GAP / 2, series, width, y)
    ]
    return Chart(key, title, _summary(series, labels), series, slots, ticks, bars=bars)


def _stack(
    index: int, x: float, series: Sequence[Series], width: float, y: Callable[[Number], float]
) -> Iterator[Shape]:
    base: Number = 0
    for kind, one in enumerate(series, 1):
        if value := one.values[index]:
            yield Shape(kind, round(x, 3), y(base + value), round(x + width * (1 - GAP), 3), y(base))
            base += value


def _slots(labels: Sequence[str], series: Sequence[Series]) -> list[Slot]:
    width, last = (100 - LEFT) / max(len(labels), 1), len(labels) - 1
    step = ceil(len(labels) / LABELS)
    return [
        Slot(
            x=round(LEFT + index * width, 3),
            middle=round(LEFT + (index + 0.5) * width, 3),
            label=label,
            is_labelled=(last - index) % step == 0,
            told="\n".join([label, *(f"{one.name}: {one.values[index]:,}" for one in series if one.values[index])]),
        )
        for index, label in enumerate(labels)
    ]


def _scale(highest: Number) -> tuple[list[Tick], Callable[[Number], float]]:
    """Lines at round numbers up to the first that is not below the highest, and the height of a number."""
    step = _step(highest)
    count = max(1, ceil(highest / step))
    top = step * count

    def y(value: Number) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * value / top, 2)

    return [Tick(y(step * number), short(step * number)) for number in range(count + 1)], y


def _step(highest: Number) -> int:
    """A round number of which two to five are enough."""
    if highest <= 4:
        return 1
    size: int = 10 ** floor(log10(highest))
    for part in (0.2, 0.25, 0.5, 1, 2):
        step = size * part
        if step >= 1 and step == int(step) and highest / step <= 5:
            return int(step)
    return size * 2


def short(number: Number) -> str:
    """1200 as 1.2k: for a scale, which has little room."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:g}"


def _summary(series: Sequence[Series], labels: Sequence[str]) -> str:
    """In words, for who cannot see it."""
    sums = ", ".join(f"{one.name} {one.total:,}" for one in series)
    return f"From {labels[0]} to {labels[-1]}: {sums}." if labels else ""

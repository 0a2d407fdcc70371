"""Small charts as inline SVG; colors and fonts are those of page.css."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from recsys_pg.collaborative.bootstrap import Estimate
from recsys_pg.evaluation.asking import METHODS
from recsys_pg.types import Method

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 98, 12, 40
_ROW = 36
_LABEL_HEIGHT = 17


@dataclass(frozen=True)
class Axis:
    """From values 0 … last to pixels first … last_pixel, with marks at round values."""

    step: float
    last: float
    first_pixel: float
    last_pixel: float

    @classmethod
    def up_to(cls, largest: float, first_pixel: float, last_pixel: float) -> "Axis":
        """An axis with three to six marks that ends at or above the largest value.

        >>> axis = Axis.up_to(0.17, 0, 100)
        >>> axis.marks(), axis.pixel(0.1)
        ([0.0, 0.05, 0.1, 0.15, 0.2], 50.0)
        """
        rough = max(largest, 1e-9) / 4
        power = 10 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
        return cls(step, step * math.ceil(largest / step - 1e-9) or step, first_pixel, last_pixel)

    def pixel(self, value: float) -> float:
        """Where a value lies."""
        return round(self.first_pixel + value / self.last * (self.last_pixel - self.first_pixel), 1)

    @property
    def middle(self) -> float:
        """Where the middle lies."""
        return (self.first_pixel + self.last_pixel) / 2

    def marks(self) -> list[float]:
        """The round values from 0 to the last."""
        return [round(self.step * number, 10) for number in range(round(self.last / self.step) + 1)]


def intervals(rows: Mapping[Method, Estimate], name: str) -> str:
    """A dot and an interval for each method."""
    bottom = _TOP + _ROW * len(rows)
    x = Axis.up_to(max(row.high for row in rows.values()), 92, _WIDTH - 60)
    parts = [*_vertical_grid(x, _TOP, bottom), _axis_name(name, x.middle, bottom + 36)]
    for number, (method, row) in enumerate(rows.items()):
        y = _TOP + _ROW * (number + 0.5)
        low, mean, high = x.pixel(row.low), x.pixel(row.mean), x.pixel(row.high)
        parts += [
            f'<g class="{_color(method)}"><title>{_tooltip(method, row)}</title>',
            f'<line class="whisker" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>',
            f'<circle cx="{mean}" cy="{y}" r="5.5"/></g>',
            _text(method, 84, y + 4, "end"),
            _text(f"{row.mean:.4f}", high + 8, y + 4, css="number"),
        ]
    return _svg(parts, bottom + 44, f"{name} of each method, with its 95 % interval")


def curves(rows: Mapping[Method, Sequence[float]], x_name: str, y_name: str) -> str:
    """A line for each method, over 1, 2, …"""
    longest = max(map(len, rows.values()))
    x = Axis.up_to(longest, _LEFT, _WIDTH - _RIGHT)
    y = Axis.up_to(max(max(values) for values in rows.values()), _HEIGHT - _BOTTOM, _TOP)
    parts = _both_grids(x, y, x_name, y_name)
    for method, values in rows.items():
        corners = " ".join(f"{x.pixel(k)},{y.pixel(value)}" for k, value in enumerate(values, start=1))
        title = f"{method}: {values[-1]:.4f} at {longest}"
        parts.append(f'<g class="{_color(method)}"><title>{title}</title><polyline points="{corners}"/></g>')
    heights = {method: y.pixel(values[-1]) for method, values in rows.items()}
    return _svg(parts + _legend(heights, x), _HEIGHT, f"{y_name} by {x_name}")


def points(rows: Mapping[Method, tuple[float, float]], x_name: str, y_name: str) -> str:
    """A point for each method."""
    x = Axis.up_to(max(row[0] for row in rows.values()), _LEFT, _WIDTH - _RIGHT)
    y = Axis.up_to(max(row[1] for row in rows.values()), _HEIGHT - _BOTTOM, _TOP)
    parts = _both_grids(x, y, x_name, y_name)
    for method, (across, up) in rows.items():
        parts.append(
            f'<g class="{_color(method)}"><title>{method}: {across:.3f}, {up:.4f}</title>'
            f'<circle cx="{x.pixel(across)}" cy="{y.pixel(up)}" r="5.5"/></g>'
        )
    heights = {method: y.pixel(up) for method, (_, up) in rows.items()}
    return _svg(parts + _legend(heights, x), _HEIGHT, f"{y_name} against {x_name}")


def apart(wanted: Sequence[float], distance: float, last: float) -> list[float]:
    """Places near the wanted ones that keep a distance from each other and end, if there is room, at last.

    >>> apart([10, 12, 50], 15, last=100)
    [10, 25, 50]
    >>> apart([90, 88], 15, last=100)
    [100, 85]
    """
    placed = list(wanted)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    previous = -math.inf
    for index in order:
        placed[index] = previous = max(wanted[index], previous + distance)
    for index in reversed(order):
        placed[index] = last = min(placed[index], last)
        last -= distance
    return placed


def _legend(heights: Mapping[Method, float], x: Axis) -> list[str]:
    """The methods' names at the right, as near as can be to the heights of what they stand for."""
    parts = []
    placed = apart(list(heights.values()), _LABEL_HEIGHT, last=_HEIGHT - _BOTTOM)
    for method, y in zip(heights, placed, strict=True):
        parts.append(f'<g class="{_color(method)}"><circle cx="{x.last_pixel + 12}" cy="{y}" r="4"/></g>')
        parts.append(_text(method, x.last_pixel + 20, y + 4))
    return parts


def _both_grids(x: Axis, y: Axis, x_name: str, y_name: str) -> list[str]:
    lines = [
        f'<line class="grid" x1="{x.first_pixel}" x2="{x.last_pixel}" y1="{height}" y2="{height}"/>'
        + _text(f"{mark:g}", x.first_pixel - 6, height + 4, "end", "number")
        for mark in y.marks()
        for height in [y.pixel(mark)]
    ]
    return [
        *_vertical_grid(x, y.last_pixel, y.first_pixel),
        *lines,
        _axis_name(x_name, x.middle, _HEIGHT - 4),
        f'<g transform="translate(11 {y.middle}) rotate(-90)">{_axis_name(y_name, 0, 0)}</g>',
    ]


def _vertical_grid(x: Axis, top: float, bottom: float) -> list[str]:
    return [
        f'<line class="grid" x1="{x.pixel(mark)}" x2="{x.pixel(mark)}" y1="{top}" y2="{bottom}"/>'
        + _text(f"{mark:g}", x.pixel(mark), bottom + 16, "middle", "number")
        for mark in x.marks()
    ]


def _axis_name(name: str, x: float, y: float) -> str:
    return _text(name, x, y, "middle", "name")


def _text(text: str, x: float, y: float, anchor: str = "start", css: str = "label") -> str:
    return f'<text class="{css}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _tooltip(method: Method, row: Estimate) -> str:
    return f"{method}: {row.mean:.4f}, 95 % interval {row.low:.4f} to {row.high:.4f}"


def _color(method: Method) -> str:
    """A class that keeps the color of a method the same in all charts."""
    return f"method-{METHODS.index(method) + 1}"


def _svg(parts: Iterable[str], height: float, name: str) -> str:
    frame = f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-label="{escape(name)}">'
    return f"{frame}{''.join(parts)}</svg>"

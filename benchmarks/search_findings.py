"""What the figures of the search benchmark come to: the tables beside the large one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

WANTED_RECALL = 0.99
KINDS = {"unfiltered": "o", "correlated": "^", "independent": "s", "anti-correlated": "v"}
"""How filter and query are related, and the marker for it in the plot."""
OURS = ("ours", "ours, advised")
ALTERNATIVES = ("pgvector", "strict", "relaxed", "pgvector tuned", "exact", "pgvectorscale")
"""The columns in PostgreSQL that are not ours."""

Result = dict[str, Any]
Cell = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """A small table."""

    title: str
    heading: list[str]
    rows: list[list[str]]


def findings(result: Result) -> list[Finding]:
    """The tables that the measured columns allow."""
    tables = (_built, _own_search, _slower, _beside_qdrant, _how)
    return [finding for finding in (table(result) for table in tables) if finding.rows]


def growth(small: Result, large: Result) -> Finding:
    """p95 of the larger catalogue over p95 of the smaller, in every cell that both have."""
    smaller = {cell_name(cell): cell for cell in small["cells"]}
    names = [name for name in small["versions"] if name in large["versions"]]
    rows = []
    for after in large["cells"]:
        if cell_name(after) not in smaller:
            continue
        before = smaller[cell_name(after)]
        ratios = [
            f"{after['columns'][name]['p95'] / before['columns'][name]['p95']:.1f}"
            if name in before["columns"] and name in after["columns"]
            else ""
            for name in names
        ]
        rows.append([cell_name(before), *ratios])
    return Finding(f"p95 at {large['rows']:,} rows over {small['rows']:,}", ["cell", *names], rows)


def cell_name(cell: Cell) -> str:
    """Selectivity and kind."""
    return f"{cell['selectivity']:g} % {cell['kind']}"


def recall(measured: dict[str, Any]) -> str:
    """Recall, and how many rows are missing, if any."""
    missing = f" −{measured['rows_missing']}" if measured["rows_missing"] else ""
    return f"{measured['recall']:.3f}".removeprefix("0") + missing


def milliseconds(value: float) -> str:
    """Three digits or so."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _cells(result: Result, *names: str) -> list[Cell]:
    """The cells in which all of these columns were measured."""
    return [cell for cell in result["cells"] if all(name in cell["columns"] for name in names)]


def _built(result: Result) -> Finding:
    rows = []
    for name, built in result["built"].items():
        sizes = [f"{built[key] / 2**20:,.0f}" for key in ("index_bytes", "total_bytes")]
        times = [f"{built[key]:,.0f}" for key in ("load_seconds", "index_seconds")]
        rows.append([name, *times, *sizes, built["note"]])
    return Finding("What was built", ["", "load, s", "index, s", "index, MB", "all, MB", "note"], rows)


def _own_search(result: Result) -> Finding:
    rows: list[list[str]] = []
    if result["round_trip"] is not None:
        rows.append(["p50 of `select 1`: socket, protocol, psycopg", f"{result['round_trip']:.3f} ms"])
    for cell in _cells(result, "ours", "bare index"):
        added = cell["columns"]["ours"]["p50"] - cell["columns"]["bare index"]["p50"]
        rows.append(["p50 without a filter, over the bare index as broad", f"{added:+.2f} ms"])
    for name in OURS:
        cells = _cells(result, name)
        if cells:
            worst = min(cells, key=lambda cell: cell["columns"][name]["recall"])
            least = worst["columns"][name]["recall"]
            rows.append([f"least recall of {name}", f"{least:.4f} in {cell_name(worst)}"])
            missing = sum(cell["columns"][name]["rows_missing"] for cell in cells)
            rows.append([f"rows missing of {name}, all cells", str(missing)])
        for label, kinds in (("correlated", ("correlated",)), ("other", ("independent", "anti-correlated"))):
            ratios = [
                (cell["columns"][name]["p95"] / cell["ours_unfiltered_p95"], cell_name(cell))
                for cell in cells
                if cell["kind"] in kinds and cell["ours_unfiltered_p95"]
            ]
            if ratios:
                ratio, where = max(ratios)
                label_of_row = f"p95 of {name} over ours unfiltered, worst {label} cell"
                rows.append([label_of_row, f"{ratio:.1f} × in {where}"])
    return Finding("Our own search", ["", "measured"], rows)


def _slower(result: Result) -> Finding:
    rows = []
    for cell in _cells(result, "ours"):
        if cell["kind"] == "unfiltered":
            continue
        columns = cell["columns"]
        ours = {name: columns[name]["p50"] for name in OURS if name in columns}
        faster = [
            f"{name} {milliseconds(columns[name]['p50'])}"
            for name in ALTERNATIVES
            if name in columns
            and columns[name]["recall"] >= WANTED_RECALL
            and columns[name]["p50"] < min(ours.values())
        ]
        if faster:
            own = ", ".join(f"{name} {milliseconds(p50)}" for name, p50 in ours.items())
            rows.append([cell_name(cell), own, ", ".join(faster)])
    title = "Cells in which another way in PostgreSQL is faster (p50) at a recall of at least .99"
    return Finding(title, ["cell", "ours", "faster"], rows)


def _beside_qdrant(result: Result) -> Finding:
    rows = []
    ratios: dict[str, list[float]] = {name: [] for name in OURS}
    for cell in _cells(result, "ours", "qdrant tuned"):
        columns = cell["columns"]
        qdrant = columns["qdrant tuned"]
        row = [cell_name(cell), recall(qdrant), milliseconds(qdrant["p50"])]
        for name in OURS:
            if name in columns:
                ratios[name].append(columns[name]["p50"] / qdrant["p50"])
                row += [milliseconds(columns[name]["p50"]), f"{ratios[name][-1]:.1f}"]
            else:
                row += ["", ""]
        ours = columns["ours"]
        socket, planner = result["round_trip"] / ours["p50"], ours["planner"] / ours["p50"]
        rows.append([*row, f"{socket:.0%}", f"{planner:.0%}"])
    for title, reduce in (("median", np.median), ("largest", np.max)):
        if rows:
            reduced = [f"{reduce(values):.1f}" if values else "" for values in ratios.values()]
            rows.append([title, "", "", "", reduced[0], "", reduced[1], "", ""])
    heading = [
        "cell",
        "qdrant recall",
        "p50",
        "ours p50",
        "ratio",
        "advised p50",
        "ratio",
        "socket",
        "planner",
    ]
    return Finding("Beside Qdrant in process, each at a recall of at least .99 or its best", heading, rows)


def _how(result: Result) -> Finding:
    """Which strategy answered, and which parameters the tuned columns took."""
    tuned = [name for name in result["versions"] if name.endswith("tuned") or name == "pgvectorscale"]
    ours = [name for name in OURS if name in result["versions"]]
    rows = []
    for cell in result["cells"]:
        row = [cell_name(cell)]
        for name in ours:
            counts = cell["columns"][name]["strategies"]
            row.append(", ".join(f"{strategy} {count}" for strategy, count in counts.items()))
        for name in tuned:
            setting = cell["columns"][name]["setting"]
            parameters = [f"{key.split('.')[-1]} {value}" for key, value in setting.items()]
            row.append(", ".join(parameters) or "defaults")
        rows.append(row)
    title = "Strategies that answered, and parameters of the tuned columns"
    return Finding(title, ["cell", *ours, *tuned], rows if ours or tuned else [])

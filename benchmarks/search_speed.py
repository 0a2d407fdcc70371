"""Filtered vector search at every selectivity: recsys_pg beside what one would use instead, on equal vectors.

Prints one table, and writes JSON to results/ and tables and a plot to docs/benchmarks.md. In every cell
(a share of the catalogue that passes, and how that is related to the query) each engine first answers all
queries, which gives its recall, warms it up, and finds the parameters of those that may be tuned. Then all
take turns for the times: p50 and p95 are those of a round, the median of the rounds.

Run: make bench-search, or python benchmarks/search_speed.py [--rows N] [--keep DIR] with what
search_requirements.txt names installed.
PostgreSQL is a private one, with shared_buffers for the catalogue and otherwise its defaults.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import search_report
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from search_data import LENGTH, SELECTIVITIES, Catalogue, Cell, load
from search_engine import Built, Column, Engine, Setting
from search_ours import AdvisedRecsys, BareIndex, Recsys
from search_outside import Faiss, Qdrant
from search_postgres import Exact, Pgvector, Vectorscale
from search_servers import machine, server_settings, servers
from server import RESULTS

WANTED_RECALL = 0.99
LEAST_QUERIES = 50
SECONDS_A_PASS = 20.0
SECONDS_A_TURN = 2.0
EXPLAINED_SEARCHES = 50


@dataclass
class Measured:
    """One column in one cell: what the pass over the queries found, and the times of the rounds."""

    setting: Setting
    recall: float
    queries: int
    rows_mean: float
    rows_missing: int
    """Rows that pass and did not come though there was room for them, of all queries together."""
    rounds: list[list[float]] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        p50 = [float(np.percentile(times, 50)) for times in self.rounds]
        p95 = [float(np.percentile(times, 95)) for times in self.rounds]
        return {
            "setting": dict(self.setting),
            "recall": round(self.recall, 4),
            "queries": self.queries,
            "rows_mean": round(self.rows_mean, 2),
            "rows_missing": self.rows_missing,
            "p50": round(float(np.median(p50)), 3),
            "p95": round(float(np.median(p95)), 3),
            "p50_rounds": [round(value, 3) for value in p50],
            "p95_rounds": [round(value, 3) for value in p95],
            "timed": sum(len(times) for times in self.rounds),
        }


def first_pass(column: Column, catalogue: Catalogue, cell: Cell) -> Measured:
    """Answer the queries with each setting until one has the wanted recall; the best is left configured."""
    best: Measured | None = None
    for setting in column.settings:
        column.engine.configure(setting)
        started = time.perf_counter()
        recalls, rows, missing = [], [], 0
        for query, condition in enumerate(cell.conditions):
            item_ids = column.engine.search(catalogue.queries[query], condition)
            recalls.append(catalogue.recall(cell, query, item_ids))
            rows.append(len(item_ids))
            missing += min(LENGTH, int(cell.passing[query])) - len(item_ids)
            if time.perf_counter() - started > SECONDS_A_PASS and query + 1 >= LEAST_QUERIES:
                break
        measured = Measured(setting, float(np.mean(recalls)), len(recalls), float(np.mean(rows)), missing)
        if best is None or measured.recall > best.recall:
            best = measured
        if best.recall >= WANTED_RECALL:
            break
    assert best is not None
    return best


def take_turn(column: Column, measured: Measured, catalogue: Catalogue, cell: Cell, first: int) -> None:
    """One round of one column: milliseconds a query, beginning with the one numbered first."""
    column.engine.configure(measured.setting)
    times: list[float] = []
    started = time.perf_counter()
    for offset in range(len(cell.conditions)):
        query = (first + offset) % len(cell.conditions)
        vector, condition = catalogue.queries[query], cell.conditions[query]
        before = time.perf_counter()
        column.engine.search(vector, condition)
        times.append((time.perf_counter() - before) * 1000)
        if time.perf_counter() - started > SECONDS_A_TURN and offset + 1 >= LEAST_QUERIES // 2:
            break
    measured.rounds.append(times)


def measure(
    columns: list[Column], catalogue: Catalogue, cell: Cell, unfiltered: Cell, rounds: int
) -> dict[str, Any]:
    """All columns in one cell. The column that begins a round changes from one to the next.

    Our own search takes a turn without a filter as well, so that on a machine whose speed changes there is
    something in every cell to compare with.
    """
    columns = [column for column in columns if cell.kind == "unfiltered" or not column.unfiltered_only]
    found = {column.name: first_pass(column, catalogue, cell) for column in columns}
    turns = [(column, found[column.name], cell) for column in columns]
    references = [column for column in columns if column.name == "ours"]
    if references:
        reference = Measured({}, 1.0, len(unfiltered.conditions), LENGTH, 0)
        turns.append((references[0], reference, unfiltered))
    for number in range(rounds):
        start = number * len(cell.conditions) // rounds
        for column, measured, asked in turns[number % len(turns) :] + turns[: number % len(turns)]:
            take_turn(column, measured, catalogue, asked, start)
    results = {name: measured.result() for name, measured in found.items()}
    searches = list(zip(catalogue.queries, cell.conditions, strict=True))[:EXPLAINED_SEARCHES]
    for column in columns:
        if isinstance(column.engine, Recsys):
            column.engine.configure(found[column.name].setting)
            results[column.name]["planner"] = round(column.engine.planning(searches), 3)
            if not column.unfiltered_only:
                results[column.name]["strategies"] = column.engine.strategies(searches)
    return {
        "selectivity": cell.selectivity,
        "kind": cell.kind,
        "passing": int(cell.passing[0]),
        "near_share": round(cell.near_share, 4),
        "ours_unfiltered_p95": reference.result()["p95"] if references else None,
        "columns": results,
    }


def table_columns(
    catalogue: Catalogue, folder: Path, urls: tuple[str, str], advised: list[float]
) -> list[Column]:
    """What is compared, from left to right."""
    url, vectorscale_url = urls
    pgvector, qdrant = Pgvector(catalogue, url), Qdrant(catalogue, folder)
    strict = {"hnsw.iterative_scan": "strict_order"}
    relaxed = {"hnsw.iterative_scan": "relaxed_order"}
    everything = {"hnsw.max_scan_tuples": 2**31 - 1, "hnsw.scan_mem_multiplier": 100}
    return [
        Column("ours", Recsys(catalogue, url)),
        Column("ours, advised", AdvisedRecsys(catalogue, url, advised)),
        Column("bare index", BareIndex(catalogue, url), unfiltered_only=True),
        Column("pgvector", pgvector),
        Column("strict", pgvector, [strict]),
        Column("relaxed", pgvector, [relaxed]),
        Column(
            "pgvector tuned",
            pgvector,
            [
                relaxed | {"hnsw.ef_search": 100},
                relaxed
                | {"hnsw.ef_search": 200, "hnsw.max_scan_tuples": 50_000, "hnsw.scan_mem_multiplier": 4},
                relaxed
                | {"hnsw.ef_search": 400, "hnsw.max_scan_tuples": 100_000, "hnsw.scan_mem_multiplier": 8},
                relaxed | everything | {"hnsw.ef_search": 400},
                relaxed | everything | {"hnsw.ef_search": 1000},
            ],
        ),
        Column("exact", Exact(catalogue, url)),
        Column(
            "pgvectorscale",
            Vectorscale(catalogue, vectorscale_url),
            [
                {},
                *(
                    {"diskann.query_search_list_size": n, "diskann.query_rescore": n}
                    for n in (200, 400, 1000)
                ),
            ],
        ),
        Column("qdrant", qdrant),
        Column("qdrant tuned", qdrant, [{}, *({"ef": ef} for ef in (192, 256, 384, 512)), {"exact": 1}]),
        Column(
            "faiss tuned",
            Faiss(catalogue, folder),
            [{"ef": ef} for ef in (16, 64, 128, 256, 512, 1024, 2048, 4096)],
        ),
    ]


def build(engines: list[Engine], folder: Path) -> dict[str, Built]:
    """Build what the folder does not hold yet; what each storage took, now or then."""
    record = folder / "built.json"
    built: dict[str, Built] = {}
    if record.exists():
        built = {name: Built(**row) for name, row in json.loads(record.read_text(encoding="utf-8")).items()}
    for engine in [part for whole in engines for part in (*whole.stands_on, whole)]:
        if engine.storage in built:
            continue
        print(f"building {engine.storage} … ", end="", file=sys.stderr, flush=True)
        took = built[engine.storage] = engine.build()
        print(f"{took.load_seconds:.0f} s + {took.index_seconds:.0f} s", file=sys.stderr)
        record.write_text(json.dumps({name: asdict(row) for name, row in built.items()}), encoding="utf-8")
    return built


def chosen(columns: list[Column], options: argparse.Namespace) -> list[Column]:
    """The columns that the options leave. Ends the program when they name one that there is not."""
    unknown = {*options.only, *options.without} - {column.name for column in columns}
    if unknown:
        names = "; ".join(column.name for column in columns)
        raise SystemExit(f"There is no column {', '.join(sorted(unknown))}. There are: {names}.")
    return [
        column
        for column in columns
        if column.name not in options.without and (not options.only or column.name in options.only)
    ]


def run(options: argparse.Namespace, folder: Path) -> Path:
    """Measure everything. The result is written after each cell, so that one may stop early."""
    catalogue = load(options.rows, options.queries, folder)
    partial = bool(options.only or options.selectivity)
    suffix = "_part" if partial else "_calibrated" if options.calibrate else ""
    path = RESULTS / f"search_speed_{options.rows}{suffix}.json"
    RESULTS.mkdir(exist_ok=True)
    with servers(folder, options.rows) as urls:
        columns = chosen(table_columns(catalogue, folder, urls, options.advised), options)
        engines = list({id(column.engine): column.engine for column in columns}.values())
        built = build(engines, folder)
        for engine in engines:
            engine.open()
        ours = [engine for engine in engines if isinstance(engine, Recsys)]
        if options.calibrate:
            for engine in {engine.database: engine for engine in ours}.values():
                print(f"calibrating {engine.database}", file=sys.stderr, flush=True)
                engine.calibrate()
        result: dict[str, Any] = {
            "command": command(),
            "machine": machine(),
            "python": platform.python_version(),
            "server": server_settings(options.rows),
            "versions": {column.name: column.engine.version() for column in columns},
            "rows": options.rows,
            "queries": options.queries,
            "rounds": options.rounds,
            "noise": catalogue.noise,
            "search_settings": ours[0].search_settings() if ours else {},
            "built": {name: asdict(row) for name, row in built.items()},
            "round_trip": round(ours[0].round_trip(2000), 4) if ours else None,
            "cells": [],
        }
        (unfiltered,) = catalogue.cells((100.0,))
        cells = list(catalogue.cells(options.selectivity or SELECTIVITIES))
        with Progress(
            TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        ) as progress:
            task = progress.add_task("", total=len(cells))
            for cell in cells:
                progress.update(task, description=cell.name)
                measured = measure(columns, catalogue, cell, unfiltered, options.rounds)
                result["cells"].append(measured)
                path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
                progress.advance(task)
        for engine in engines:
            engine.close()
    return path


def command() -> str:
    """The command line without --keep, whose folder is of one machine only."""
    words = ["python benchmarks/search_speed.py"]
    is_folder = False
    for word in sys.argv[1:]:
        if not is_folder and not word.startswith("--keep"):
            words.append(word)
        is_folder = word == "--keep"
    return " ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rows", type=int, default=200_000)
    add("--queries", type=int, default=200, help="queries a cell")
    add("--rounds", type=int, default=3, help="turns that every engine takes in a cell")
    add("--only", nargs="+", default=[], metavar="COLUMN", help="the columns to measure; all by default")
    add("--without", nargs="+", default=[], metavar="COLUMN", help="columns not to measure")
    add("--selectivity", type=float, nargs="+", metavar="%", help="selectivities to measure; all by default")
    add(
        "--advised",
        type=float,
        nargs="*",
        metavar="%",
        help="selectivities whose topics get an index each; by default those that recsys-pg advises",
    )
    add("--calibrate", action="store_true", help="calibrate our databases first, as recsys-pg calibrate does")
    add("--keep", type=Path, metavar="DIR", help="keep what is built in this folder, and use what is there")
    options = parser.parse_args()
    if not 20_000 <= options.rows <= 5_000_000:
        raise SystemExit(f"--rows is {options.rows:,}. Pass 20,000 to 5,000,000.")
    if not LEAST_QUERIES <= options.queries <= 1000:
        raise SystemExit(f"--queries is {options.queries:,}. Pass {LEAST_QUERIES} to 1,000.")
    if options.advised is None:
        # between what is scanned in the time of a walk and half of the items
        least = 100 * 9_000 / options.rows
        options.advised = [each for each in SELECTIVITIES if least < each <= 50]
    unknown = {*options.advised, *(options.selectivity or [])} - set(SELECTIVITIES)
    if unknown:
        wanted = ", ".join(f"{selectivity:g}" for selectivity in SELECTIVITIES)
        raise SystemExit(f"{sorted(unknown)} is no selectivity of the benchmark. There are {wanted} (%).")

    if options.keep:
        folder = options.keep.resolve() / str(options.rows)
        folder.mkdir(parents=True, exist_ok=True)
        path = run(options, folder)
    else:
        with tempfile.TemporaryDirectory(prefix="recsys_search_") as temporary:
            path = run(options, Path(temporary))
    search_report.show(path)


if __name__ == "__main__":
    main()

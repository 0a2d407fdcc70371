"""The search benchmark's results as a table on the terminal, a plot, and the tables of docs/benchmarks.md.

Run: python benchmarks/search_report.py benchmarks/results/search_speed_200000.json shows an earlier result.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import search_findings
from rich.console import Console
from rich.table import Table
from search_findings import KINDS, WANTED_RECALL, Finding, Result, milliseconds, recall
from server import RESULTS

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
"""The page, which is committed with its plots; the results are not."""
PAGE_RESULTS = {
    "search_speed_200000": "search at 200000 rows",
    "search_speed_1000000": "search at 1000000 rows",
    "search_speed_1000000_calibrated": "search at 1000000 rows, calibrated",
}
"""The results that it shows, and the names of their places."""
GROWTH = ("search_speed_200000", "search_speed_1000000_calibrated")
"""The results that its table of growth compares."""
WIDEST = 13


def show(path: Path) -> None:
    """Print a result's tables and write its plot; of one of PAGE_RESULTS, also the page's tables."""
    result = json.loads(path.read_text(encoding="utf-8"))
    width = 24 + (WIDEST + 3) * len(result["versions"])
    console = Console(width=max(Console().width, width))
    console.print(_table(result))
    for finding in search_findings.findings(result):
        table = Table(title=finding.title, title_justify="left")
        for heading in finding.heading:
            table.add_column(heading)
        for row in finding.rows:
            table.add_row(*row)
        console.print(table)
    picture = path.with_suffix(".png")
    if path.stem in PAGE_RESULTS:
        picture = PAGE.with_name(picture.name)
        write_page(result, PAGE_RESULTS[path.stem], picture)
        console.print(f"The tables of {PAGE} are written.")
    plot(result, picture)
    console.print(f"The figures are in {path}, the plot is {picture}.")


def _table(result: Result) -> Table:
    table = Table(
        title=f"{result['rows']:,} rows, {result['queries']} queries a cell. recall@10 (after a minus:"
        " rows that did not come); p50 / p95 in ms",
        title_justify="left",
        show_lines=True,
    )
    table.add_column("passing", no_wrap=True)
    for name in result["versions"]:
        table.add_column(name, justify="right", no_wrap=True)
    for cell in result["cells"]:
        row = [f"{cell['selectivity']:g} %\n{cell['kind']}"]
        for name in result["versions"]:
            measured = cell["columns"].get(name)
            if measured is None:
                row.append("")
            else:
                color = "green" if measured["recall"] >= WANTED_RECALL else "red"
                row.append(f"[{color}]{recall(measured)}[/]\n{_times(measured)}")
        table.add_row(*row)
    return table


def _times(measured: dict[str, Any]) -> str:
    return f"{milliseconds(measured['p50'])} / {milliseconds(measured['p95'])}"


def plot(result: Result, path: Path) -> None:
    """Recall against p95, one panel a selectivity; the marker tells how filter and query are related."""
    selectivities = sorted({cell["selectivity"] for cell in result["cells"]}, reverse=True)
    names = list(result["versions"])
    colors = dict(zip(names, plt.get_cmap("tab20").colors, strict=False))
    columns = min(3, len(selectivities))
    lines = -(-len(selectivities) // columns)
    size = (5 * columns, 3.6 * lines + 1)
    figure, axes = plt.subplots(
        lines, columns, figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(selectivities) :]:
        axis.set_visible(False)
    for selectivity, axis in zip(selectivities, axes.flat, strict=False):
        for cell in result["cells"]:
            if cell["selectivity"] != selectivity:
                continue
            for name, measured in cell["columns"].items():
                ours = name.startswith("ours")
                axis.scatter(
                    measured["p95"],
                    measured["recall"],
                    marker=KINDS[cell["kind"]],
                    color=colors[name],
                    s=70 if ours else 35,
                    edgecolors="black" if ours else "none",
                    zorder=3 if ours else 2,
                )
        axis.set_xscale("log")
        axis.set_ylim(-0.03, 1.03)
        axis.axhline(WANTED_RECALL, color="gray", linewidth=0.7, linestyle=":")
        axis.set_title(f"{selectivity:g} % pass")
        axis.set_xlabel("p95, ms")
        axis.set_ylabel("recall@10")
    keys = [("o", colors[name], name) for name in names]
    keys += [(marker, "gray", kind) for kind, marker in KINDS.items()]
    handles = [Line2D([], [], marker=mark, color=color, label=label, ls="") for mark, color, label in keys]
    figure.legend(handles=handles, loc="outside lower center", ncols=6)
    cpu = result["machine"]["cpu"]
    figure.suptitle(f"Filtered vector search, {result['rows']:,} rows, 384 dimensions, {cpu}")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def write_page(result: Result, place: str, picture: Path) -> None:
    """Put the result's tables between their markers on the page, and the growth from the smaller result."""
    text = PAGE.read_text(encoding="utf-8")
    text = _replace(text, place, _section(result, picture))
    files = [RESULTS / f"{stem}.json" for stem in GROWTH]
    if all(file.exists() for file in files):
        small, large = (json.loads(file.read_text(encoding="utf-8")) for file in files)
        text = _replace(text, "growth of search", _markdown(search_findings.growth(small, large)))
    PAGE.write_text(text, encoding="utf-8")


def _replace(text: str, name: str, body: str) -> str:
    """The text with the body between the markers of that name."""
    begin, end = f"<!-- {name}: written by benchmarks/search_report.py -->", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{body}\n\n{end}{rest.split(end)[1]}"


def _section(result: Result, picture: Path) -> str:
    machine = result["machine"]
    versions = "; ".join(dict.fromkeys(result["versions"].values()))
    settings = ", ".join(f"`{name}` {value}" for name, value in result["server"].items())
    parts = [
        f"`{result['command']}` on {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB."
        f" Python {result['python']}; {versions}. Both servers: {settings}. {result['queries']} queries a"
        f" cell, {result['rounds']} rounds."
    ]
    own = ", ".join(f"`{name}` {value}" for name, value in result.get("search_settings", {}).items())
    if own:
        parts.append(f"Our settings: {own}.")
    if result["noise"]:
        parts.append(
            f"The rows beyond 290,000 are real vectors with normal noise of {result['noise']} a component, so"
            " that a copy has a cosine of .93 with its original. (With 60,000 real rows and 140,000 copies,"
            " the tenth nearest to a query is at a cosine of .546, with 200,000 real rows at .565.)"
        )
    parts.append(
        "A field holds recall@10 (after a minus: rows that pass and did not come though there was room, of"
        " all queries together) and p50 / p95 in ms. In brackets: the share of the 100 items nearest to a"
        " query that pass."
    )
    names = list(result["versions"])
    rows = []
    for cell in result["cells"]:
        columns = cell["columns"]
        fields = [f"{recall(columns[n])}<br>{_times(columns[n])}" if n in columns else "" for n in names]
        rows.append([f"{cell['selectivity']:g} %", f"{cell['kind']} ({cell['near_share']:.1%})", *fields])
    parts.append(_markdown(Finding("", ["passing", "", *names], rows)))
    parts.append(f"![Recall against p95]({picture.name})")
    for finding in search_findings.findings(result):
        parts += [f"{finding.title}:", _markdown(finding)]
    return "\n\n".join(parts)


def _markdown(finding: Finding) -> str:
    lines = [finding.heading, ["---"] * len(finding.heading), *finding.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    show(Path(sys.argv[1]))

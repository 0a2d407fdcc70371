"""The page: what was evaluated, what was found, and how to read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from recsys_pg.collaborative.bootstrap import Estimate
from recsys_pg.evaluation import wording
from recsys_pg.evaluation.report import charts
from recsys_pg.evaluation.results import Accuracy, Evaluation

_STYLE = Path(__file__).with_name("page.css")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def html_report(found: Evaluation) -> str:
    """The whole page; it loads nothing."""
    title = f"Recommendations of {found.database}, {found.started_at:%Y-%m-%d}"
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">{escape(wording.summary(found))}</p>',
            f'<p class="soft">{escape(wording.setting(found))}</p>',
            *(f'<p class="note">{escape(note)}</p>' for note in found.notes),
            _accuracy(found),
            _comparison(found),
            _charts(found),
            _exposure(found),
            _segments(found),
            _reading(),
            _circumstances(found),
        ]
    )
    return _PAGE.format(title=escape(title), style=_STYLE.read_text(encoding="utf-8"), body=body)


def _accuracy(found: Evaluation) -> str:
    columns = [
        _Column(name, [f"{value:.4f}" for value in values], best=values.index(max(values)))
        for place, k in enumerate(found.options.ks)
        for name, values in _named(k, [row.accuracy[place] for row in found.methods])
    ]
    columns.insert(1, _Column("95 % interval", [_interval(row.ndcg) for row in found.methods]))
    names = [row.method for row in found.methods]
    meanings = "".join(_entry(name, wording.method_meaning(name, found)) for name in names)
    return (
        f"<h2>What people went on to like</h2>{_table('method', names, columns)}"
        f'<p class="soft">Means over users. The interval is that of NDCG@{found.options.ks[0]}.</p>'
        f"<dl>{meanings}</dl>"
    )


def _comparison(found: Evaluation) -> str:
    others = [(row.method, row.difference) for row in found.methods if row.difference]
    if not others:
        return ""
    columns = [
        _Column(f"difference in NDCG@{found.options.ks[0]}", [f"{each.mean:+.4f}" for _, each in others]),
        _Column("95 % interval", [f"{each.low:+.4f} to {each.high:+.4f}" for _, each in others]),
        _Column(f"{found.reference} is", [wording.verdict(each) for _, each in others]),
    ]
    names = [method for method, _ in others]
    return f"<h2>Comparison</h2>{_table(f'{found.reference} against', names, columns)}"


def _charts(found: Evaluation) -> str:
    k = found.options.ks[0]
    drawn = [
        (
            "The dots are means, the bars 95 % intervals.",
            charts.intervals({row.method: row.ndcg for row in found.methods}, f"NDCG@{k}"),
        ),
        (
            "How many of the targets are found as lists grow.",
            charts.curves(
                {row.method: row.recall_at for row in found.methods}, "length of the list", "recall"
            ),
        ),
        (
            "Good lists that show much of the catalogue are at the top right.",
            charts.points(
                {row.method: (row.exposure.coverage, row.ndcg.mean) for row in found.methods},
                f"coverage of lists of {k}",
                f"NDCG@{k}",
            ),
        ),
    ]
    varied = {
        row.method: (row.exposure.diversity, row.ndcg.mean)
        for row in found.methods
        if row.exposure.diversity is not None
    }
    if varied:
        drawn.append(
            (
                "Good lists of items that differ are at the top right.",
                charts.points(varied, f"diversity of lists of {k}", f"NDCG@{k}"),
            )
        )
    figures = "".join(f"<figure><figcaption>{text}</figcaption>{chart}</figure>" for text, chart in drawn)
    return f'<div class="charts">{figures}</div>'


def _exposure(found: Evaluation) -> str:
    shown = [row.exposure for row in found.methods]
    columns = [
        _Column("coverage", [f"{each.coverage:.1%}" for each in shown]),
        _Column("Gini", [f"{each.gini:.3f}" for each in shown]),
        _Column("novelty", [f"{each.novelty:.2f}" for each in shown]),
        _Column("diversity", ["" if each.diversity is None else f"{each.diversity:.3f}" for each in shown]),
        _Column("cold items", [f"{each.cold_share:.1%}" for each in shown]),
        _Column("ms", [f"{row.milliseconds:.1f}" for row in found.methods]),
    ]
    table = _table("method", [row.method for row in found.methods], columns)
    return f"<h2>What lists of {found.options.ks[0]} show</h2>{table}"


def _segments(found: Evaluation) -> str:
    rows = found.segments
    columns = [
        _Column("what it is", [each.meaning for each in rows], is_text=True),
        _Column("users", [f"{each.users:,}" for each in rows]),
        _Column("targets", [f"{each.targets:,}" for each in rows]),
        *(
            _Column(row.method, [f"{each.accuracy[row.method][0].ndcg:.4f}" for each in rows])
            for row in found.methods
        ),
    ]
    table = _table("segment", [each.name for each in rows], columns)
    return f"<h2>NDCG@{found.options.ks[0]} by segment</h2>{table}"


def _reading() -> str:
    entries = "".join(_entry(name, meaning) for name, meaning in wording.METRICS.items())
    return f"<h2>How to read it</h2><dl>{entries}</dl>"


def _circumstances(found: Evaluation) -> str:
    sizes, versions = found.sizes, found.versions
    software = f"recsys_pg {versions.recsys_pg}, PostgreSQL {versions.postgres}, pgvector {versions.pgvector}"
    entries = {
        "Evaluated": f"{found.started_at:%Y-%m-%d %H:%M %Z}, in {found.seconds:,.0f} s",
        "Database": found.database,
        "Catalogue": f"{sizes.items:,} items, {sizes.embedded_items:,} of them with embeddings",
        "People": f"{sizes.users:,} users, {sizes.active_users:,} of them with interactions to learn from",
        "Training": found.training.message,
        "Versions": software,
    }
    text = "".join(_entry(name, value) for name, value in entries.items())
    command = f"<dt>Command</dt><dd><code>{escape(found.options.command())}</code></dd>"
    return f"<h2>Circumstances</h2><dl>{text}{command}</dl>"


def _named(k: int, rows: Sequence[Accuracy]) -> list[tuple[str, list[float]]]:
    return [
        (f"NDCG@{k}", [row.ndcg for row in rows]),
        (f"Recall@{k}", [row.recall for row in rows]),
        (f"MAP@{k}", [row.map for row in rows]),
        (f"MRR@{k}", [row.mrr for row in rows]),
        (f"Hit rate@{k}", [row.hit_rate for row in rows]),
    ]


def _interval(row: Estimate) -> str:
    return f"{row.low:.4f} to {row.high:.4f}"


def _entry(name: str, text: str) -> str:
    return f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"


@dataclass(frozen=True)
class _Column:
    """A column of a table; best is the row to stress."""

    name: str
    cells: Sequence[str]
    best: int | None = None
    is_text: bool = False

    def cell(self, row: int) -> str:
        css = " ".join(["best"] * (row == self.best) + ["text"] * self.is_text)
        return (
            f'<td class="{css}">{escape(self.cells[row])}</td>'
            if css
            else f"<td>{escape(self.cells[row])}</td>"
        )


def _table(corner: str, names: Sequence[str], columns: Sequence[_Column]) -> str:
    """A table whose rows have names."""
    head = "".join(
        f'<th scope="col">{escape(name)}</th>' for name in (corner, *(each.name for each in columns))
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(column.cell(row) for column in columns)}</tr>'
        for row, name in enumerate(names)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'

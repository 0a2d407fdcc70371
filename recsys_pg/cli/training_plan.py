"""What `recsys-pg train --dry-run` prints."""

from typing import TYPE_CHECKING

from recsys_pg.cli.output import Column, print_line, print_table

if TYPE_CHECKING:
    from recsys_pg.collaborative import TrainingPlan

_NAMES = {"ease": "EASE", "cosine": "the cosine"}


def print_plan(plan: "TrainingPlan") -> None:
    """Print a plan for people."""
    if plan.message:
        print_line(f"{plan.message} Popularity and tastes would be refreshed.")
        return
    print_line(
        f"{plan.interactions:,} likes of {plan.users:,} users and {plan.items:,} items would be learned from."
    )
    print_line()
    rows = [(name, "learned") for name in plan.operators]
    rows.append(("repeat", "added if people like again what they liked"))
    rows += [(name, f"left out: {reason}") for name, reason in plan.left_out.items()]
    print_table(
        [
            Column("operator", [name for name, _ in rows]),
            Column("", [what for _, what in rows], shrinks=True),
        ]
    )
    print_line()
    graph = " or ".join(_NAMES[name] for name in plan.algorithms)
    print_line(f"Item graph: {graph}{', the better one' if len(plan.algorithms) > 1 else ''}.")
    print_line(f"Memory: {plan.peak_gb:.2g} GB at most, of {plan.memory_gb:g}.")
    low, high = plan.seconds
    longest = max(plan.parts, key=lambda part: plan.parts[part])
    print_line(f"Time: {_duration(low)} to {_duration(high)}, most of it to {longest}, on an idle machine.")
    print_line(f"Disk: up to {plan.disk_gb:.2g} GB beside the models that there are.")
    if plan.compared_users is None:
        print_line("No active model to compare with: the new one would be used.")
    elif plan.is_compared:
        print_line(
            f"The active model would be compared by what about {plan.compared_users:,} users liked since."
        )
    else:
        print_line(
            f"About {plan.compared_users:,} users who are asked liked something since the active model was"
            " learned, too few to compare: the new one would be used."
        )


def _duration(seconds: float) -> str:
    """
    >>> _duration(0.2), _duration(75), _duration(5000)
    ('1 s', '75 s', '83 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{round(seconds / 60)} min"

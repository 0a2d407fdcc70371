"""What `recsys-pg doctor` checks: each check looks at one thing and names the remedy."""

from recsys_pg.cli.checks.check import Check, Finding
from recsys_pg.cli.checks.run import run_checks

__all__ = ["Check", "Finding", "run_checks"]

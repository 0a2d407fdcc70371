"""Where the demo's ratings come from: the example data inside the recbole wheel on the package registry."""

import subprocess
import sys
from pathlib import Path

from recsys_pg.errors import MissingDependencyError

WHEEL = "recbole-1.2.1-py3-none-any.whl"


def movielens_wheel(cache: Path) -> Path:
    """The path of the wheel, downloaded into the cache folder unless it is there; nothing is installed.

    Raises:
        MissingDependencyError: pip cannot download it; the message ends with pip's own.
    """
    wheel = cache / WHEEL
    if wheel.exists():
        return wheel
    cache.mkdir(parents=True, exist_ok=True)
    name, version, _ = WHEEL.split("-", 2)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache)]
    result = subprocess.run([*command, f"{name}=={version}"], capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode or not wheel.exists():
        output = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
        raise MissingDependencyError(
            f"MovieLens 100k, which is in the {name} wheel, cannot be downloaded: {output[-1]}",
            f"Make the package registry reachable for pip, or put {WHEEL} into {cache}.",
        )
    return wheel

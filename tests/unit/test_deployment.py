"""What a deployment is made of, checked without a container engine: compose file, image, pins, make."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import recsys_pg
from recsys_pg.config import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def tool(name: str) -> Path:
    """A program of the environment that the tests run in."""
    return Path(sys.executable).with_name(name)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, continued lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


# docker-compose.yml


def test_the_compose_file_follows_the_compose_specification():
    checked = run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE_FILE)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_password_has_a_default():
    secrets = {
        f"{name}: {key}": value
        for name, service in SERVICES.items()
        for key, value in service.get("environment", {}).items()
        if "PASSWORD" in key
    }
    assert secrets
    for where, value in secrets.items():
        assert re.fullmatch(r"\$\{RECSYS_PG_PASSWORD:\?.+\}", value), where
    assert not re.search(r"://[^@/\s]+:[^@/\s]+@", COMPOSE_FILE.read_text(encoding="utf-8"))


def test_every_variable_of_the_compose_file_is_explained_in_it():
    text = COMPOSE_FILE.read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)", text))
    explained = set(re.findall(r"^#   (RECSYS_PG_\w+)  ", text, flags=re.M))
    assert used == explained


@pytest.mark.parametrize("name", OURS)
def test_every_setting_given_to_a_container_is_one_that_the_package_reads(name):
    environment = SERVICES[name]["environment"]
    given = {key.removeprefix("RECSYS_PG_").lower() for key in environment if key.startswith("RECSYS_PG_")}
    assert "database_url" in given
    assert given <= set(Settings.model_fields)


@pytest.mark.parametrize("name", OURS)
def test_every_container_runs_a_command_that_exists(name):
    commands = [SERVICES[name]["command"]]
    for command in commands:
        shown = run(tool("recsys-pg"), *command, "--help")
        assert shown.returncode == 0, shown.stdout + shown.stderr


def test_the_worker_is_asked_for_its_health_where_it_answers():
    probe = SERVICES["worker"]["healthcheck"]["test"]
    assert probe[:3] == ["CMD", "python", "-c"]
    compile(probe[3], "healthcheck", "exec")
    command = SERVICES["worker"]["command"]
    port = command[command.index("--metrics-port") + 1]
    assert f"http://127.0.0.1:{port}/readyz" in probe[3]
    assert SERVICES["worker"]["expose"] == [port]


def test_services_start_when_what_they_need_is_ready():
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed], f"{name} waits for the health of {needed}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert "restart" not in SERVICES[needed], f"{name} waits for {needed}, which never ends"
    assert SERVICES["migrate"]["depends_on"]["db"]["condition"] == "service_healthy"
    for name in ("worker", "train"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_what_runs_on_restarts_and_is_watched_and_has_time_to_stop():
    for name in ("db", "worker"):
        assert SERVICES[name]["restart"] == "unless-stopped"
        assert SERVICES[name]["stop_grace_period"]
        assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES["train"]["profiles"] == ["train"]


def test_the_database_keeps_its_data_and_is_reached_from_this_host_only():
    mounts = dict(volume.split(":") for volume in SERVICES["db"]["volumes"])
    assert set(mounts) <= set(COMPOSE["volumes"])
    assert "/var/lib/postgresql" in mounts.values(), "where images of PostgreSQL 18 declare their volume"
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_images_are_pinned():
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    for image in [service["image"] for service in SERVICES.values()] + bases:
        assert re.search(r":\d+\.\d+\.\d+", image), image
    assert {SERVICES[name]["image"] for name in OURS} == {f"recsys-pg:{recsys_pg.__version__}"}


# Dockerfile


def test_the_image_is_built_from_what_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    sources = [
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_the_image_has_the_extras_that_its_services_need():
    (found,) = re.findall(r"\[([a-z,]+)\]", " ".join(rest for word, rest in instructions() if word == "RUN"))
    extras = set(found.split(","))
    assert extras <= set(EXTRAS)
    assert extras == {"cli", "embed", "model", "train", "metrics"}


def test_the_image_runs_the_command_line_and_not_as_root():
    last_stage = instructions()[max(i for i, (word, _) in enumerate(instructions()) if word == "FROM") :]
    last = dict(last_stage)
    assert int(last["USER"]) > 0
    assert yaml.safe_load(last["ENTRYPOINT"]) == list(PROJECT["scripts"])
    assert yaml.safe_load(last["CMD"]) == SERVICES["worker"]["command"][:1]


# constraints.txt


def pins() -> dict[str, str]:
    """The pinned versions by canonical name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    # neither a local version nor an address, which other machines do not have
    exact = re.compile(r"([A-Za-z0-9._-]+)==([0-9][0-9A-Za-z.]*)")
    found = [exact.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(found)
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def declared() -> list[Requirement]:
    """All requirements of pyproject.toml but those on its own extras."""
    texts = PROJECT["dependencies"] + [text for extra in EXTRAS.values() for text in extra]
    requirements = [Requirement(text) for text in texts]
    return [requirement for requirement in requirements if requirement.name != PROJECT["name"]]


def test_the_pins_are_within_the_ranges_of_pyproject():
    pinned = pins()
    for requirement in declared():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_everything_that_gets_installed_is_pinned_and_nothing_else_is():
    pinned = pins()
    waiting, reached = declared(), set()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in reached:
            continue
        reached.add(key)
        extras = ["", *requirement.extras]
        for text in distribution(requirement.name).requires or []:
            needed = Requirement(text)
            wanted = not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in extras)
            # torch's builds for CUDA name the exact versions that they need
            if wanted and not needed.name.startswith(("cuda-", "nvidia-", "triton")):
                waiting.append(needed)
    assert {name for name, _ in reached} == set(pinned)


# Makefile


def test_make_lists_the_documented_targets_and_each_exists():
    listed = set(re.findall(r"^  make ([a-z-]+) ", run("make").stdout, flags=re.M))
    documents = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")]
    documented = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", "\n".join(documents), flags=re.M))
    assert {"demo", "test", "check", "docs"} <= documented
    assert documented <= listed
    for target in listed:
        assert run("make", "--dry-run", target).returncode == 0, target


def test_the_files_that_make_runs_exist():
    scripts = re.findall(r"\$\(BIN\)/python (\S+\.py)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert scripts
    for script in scripts:
        assert (ROOT / script).is_file(), script

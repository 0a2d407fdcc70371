"""Options that several commands share: a dataclass each of whose fields is one."""

import inspect
from collections.abc import Callable
from typing import Any


def with_options(command: Callable[..., None], argument: str, options: type[Any]) -> Callable[..., None]:
    """Give a command the options that are the fields of a dataclass; it gets an instance as this argument."""
    own = [each for each in inspect.signature(command).parameters.values() if each.name != argument]
    shared = list(inspect.signature(options).parameters.values())

    def with_shared(**values: Any) -> None:
        group = options(**{option.name: values.pop(option.name) for option in shared})
        command(**values, **{argument: group})

    with_shared.__name__ = command.__name__
    with_shared.__doc__ = command.__doc__
    # what Typer reads the options from
    with_shared.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *shared)]
    )
    return with_shared

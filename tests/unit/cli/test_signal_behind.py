"""An error that comes up while a signal is being obeyed is not what the user is told."""

import pytest

from recsys_pg.cli.errors import INTERRUPTED, signal_behind


def interrupted_by(signal: BaseException) -> None:
    try:
        raise signal
    finally:
        raise ValueError("another command is already in progress")


@pytest.mark.parametrize(("signal", "code"), [(KeyboardInterrupt(), INTERRUPTED), (SystemExit(143), 143)])
def test_an_error_in_the_clean_up_after_a_signal_gives_the_signals_code(signal, code):
    with pytest.raises(ValueError, match="another command") as raised:
        interrupted_by(signal)
    assert signal_behind(raised.value) == code


def test_an_error_of_its_own_has_no_signal_behind_it():
    assert signal_behind(ValueError("n is 0")) is None

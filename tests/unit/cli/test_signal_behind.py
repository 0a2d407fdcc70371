"""An error that comes up while a signal is being obeyed is not what the user is told."""

import pytest

from recsys_pg.cli.errors import INTERRUPTED, signal_behind


@pytest.mark.parametrize(("cause", "code"), [(KeyboardInterrupt(), INTERRUPTED), (SystemExit(143), 143)])
def test_an_error_in_the_clean_up_after_a_signal_gives_the_signals_code(cause, code):
    with pytest.raises(ValueError, match="another command") as raised:
        try:
            raise cause
        finally:
            raise ValueError("another command is already in progress")
    assert signal_behind(raised.value) == code


def test_an_error_of_its_own_has_no_signal_behind_it():
    assert signal_behind(ValueError("n is 0")) is None

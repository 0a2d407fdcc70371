"""What a worker tells of its work to whoever watches it."""

from collections.abc import Mapping


class Observer:
    """Is told what happens, from several threads; this one keeps nothing of it."""

    def model_ran(self, texts: int, seconds: float) -> None:
        """The model returned the vectors of so many texts after so long."""

    def database_answered(self, seconds: float) -> None:
        """A transaction of the queue took so long."""

    def settled(self, outcomes: Mapping[str, int]) -> None:
        """So many items of a batch came to each outcome, by the fields of `WorkerReport`."""

    def failed(self, error: BaseException) -> None:
        """A text, the model or the database failed."""

    def is_ready(self, ready: bool) -> None:
        """Whether model and database answered when they were needed last."""

    def is_alive(self) -> None:
        """The worker watches its threads, none of which hangs; some times a second."""

"""Django's PostgreSQL connection: looks at the socket, not at the server, to see whether it still is."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A server that stopped, or threw us out, said so on the socket; one that said nothing is there.

    Django's own check is a statement more in every request. It is still made when there is anything to doubt.
    """

    def is_usable(self) -> bool:
        """Whether the next statement can go this way."""
        if self.connection is not None and not self.errors_occurred and _is_quiet(self.connection.fileno()):
            return True
        return bool(super().is_usable())


def _is_quiet(socket: int) -> bool:
    """Nothing to read: neither an answer, which an idle connection does not get, nor the end of the line."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return not poll.poll(0)

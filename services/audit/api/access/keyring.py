"""The keys as the running service knows them: read again whenever their file changes."""

import time
from collections.abc import Callable, Mapping
from typing import Final, final

from services.audit.api.access.caller import AccessDenied, Denial
from tradebus.access import ApiKey, KeyFile, KeyFileError
from tradebus.access.keys import digest_of, id_in

USES_WRITTEN_EVERY_NS: Final = 60_000_000_000
_NO_SALT: Final = bytes(16)


@final
class Keyring:
    """Finds the key of a text.

    ``on_trouble`` is told what is wrong with the file, and the empty text once it is well again.
    """

    def __init__(
        self,
        file: KeyFile,
        on_trouble: Callable[[str], None] = lambda _: None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.file: Final = file
        self._on_trouble: Final = on_trouble
        self._now_ns: Final = now_ns
        self._keys: Mapping[str, ApiKey] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._trouble = ""
        self._uses: dict[str, int] | None = None
        self._uses_written_ns = 0

    def find(self, text: str) -> ApiKey:
        """Return the key with this text, if it is good now. Raises AccessDenied.

        A key that is unknown and one whose secret is wrong are not told apart, and take the same time.
        """
        self._refresh()
        now_ns = self._now_ns()
        key = self._keys.get(id_in(text) or "")
        if key is None:
            digest_of(text[:128], _NO_SALT)
        if key is None or not key.is_of(text):
            raise AccessDenied(Denial.KEY_UNKNOWN, "the key is not one of this service's")
        if key.revoked_ns is not None:
            raise AccessDenied(Denial.KEY_REVOKED, f"the key {key.id} has been revoked")
        if key.is_expired(now_ns):
            raise AccessDenied(Denial.KEY_EXPIRED, f"the key {key.id} has expired")
        self._note_use(key.id, now_ns)
        return key

    def last_uses(self) -> Mapping[str, int]:
        """Return when keys were used last, in nanoseconds since the epoch, by id."""
        if self._uses is None:
            try:
                self._uses = self.file.last_uses()
            except KeyFileError as error:
                self._report(str(error))
                self._uses = {}
        return self._uses

    def close(self) -> None:
        """Keep when keys were used last."""
        if self._uses:
            self._write_uses()

    def _refresh(self) -> None:
        """Read the file if it is another one than last time. Raises AccessDenied where it cannot be read.

        What stood in a file that has become unreadable does not count any more: it may have been changed to revoke.
        """
        try:
            stamp = self.file.stamp()
            if stamp != self._stamp or self._trouble:
                self._keys = self.file.read()
                self._stamp = stamp
                self._report("")
        except KeyFileError as error:
            self._report(str(error))
            raise AccessDenied(
                Denial.KEYS_UNREADABLE, "the keys cannot be read; the log of the audit service says why"
            ) from error

    def _note_use(self, key_id: str, now_ns: int) -> None:
        self.last_uses()
        assert self._uses is not None
        self._uses[key_id] = now_ns
        if now_ns - self._uses_written_ns >= USES_WRITTEN_EVERY_NS:
            self._uses_written_ns = now_ns
            self._write_uses()

    def _write_uses(self) -> None:
        assert self._uses is not None
        try:
            self.file.write_last_uses({key_id: at for key_id, at in self._uses.items() if key_id in self._keys})
        except KeyFileError as error:
            self._report(str(error))

    def _report(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._on_trouble(trouble)

"""Decide who a request is from and whether that role is enough, over whatever protocol it came."""

from typing import Final, final

from services.audit.api.access.bad_keys import BadKeys
from services.audit.api.access.caller import ANONYMOUS, AccessDenied, Caller, Denial
from services.audit.api.access.keyring import Keyring
from services.audit.api.access.log import AccessLog
from tradebus.access import Role

_BAD: Final = frozenset({Denial.KEY_UNKNOWN, Denial.KEY_REVOKED, Denial.KEY_EXPIRED})


@final
class Doorkeeper:
    """Knows the keys, and whether reading needs one."""

    def __init__(
        self, keyring: Keyring, bad_keys: BadKeys, log: AccessLog | None = None, *, reading_without_key: bool
    ) -> None:
        self.keyring: Final = keyring
        self.reading_without_key = reading_without_key
        self._bad_keys: Final = bad_keys
        self._log: Final = log

    def identify(self, key: str | None, address: str) -> Caller | AccessDenied:
        """Return who shows a key (None: shows none), or why that is nobody; raises nothing."""
        if key is None:
            if self.reading_without_key:
                return Caller(ANONYMOUS, Role.VIEWER, None, address)
            return AccessDenied(
                Denial.KEY_REQUIRED,
                "a key is needed here: `Authorization: Bearer tb_...`; `tradebus key new` makes one",
            )
        try:
            found = self.keyring.find(key)
        except AccessDenied as denied:
            wait_s = self._bad_keys.note(address) if denied.denial in _BAD else 0
            if not wait_s:
                return denied
            detail = f"too many bad keys from {address}; the next one is looked at in {wait_s} s"
            return AccessDenied(Denial.TOO_MANY_BAD_KEYS, detail, retry_after_s=wait_s)
        return Caller(found.name, found.role, found.id, address)

    def note_denied(self, denied: AccessDenied, address: str, what: str) -> None:
        """Put a refusal into the access log; what is no HTTP request says itself what it was."""
        if self._log is not None:
            self._log.denied(denied, denied.caller, address, what)

    def note(self, caller: Caller, what: str) -> None:
        """Put what somebody did to the keys into the access log."""
        if self._log is not None:
            self._log.changed(caller, what)

    def admit(self, found: Caller | AccessDenied, needed: Role) -> Caller:
        """Return the caller if the role is enough. Raises AccessDenied."""
        if isinstance(found, AccessDenied):
            raise found
        if found.role.includes(needed):
            return found
        if found.key_id is None:
            raise AccessDenied(
                Denial.KEY_REQUIRED,
                f"this needs a key with the role {needed.value}: `Authorization: Bearer tb_...`; "
                "`tradebus key new` makes one",
                found,
            )
        detail = f"this needs the role {needed.value}; the key {found.key_id} ({found.name}) has {found.role.value}"
        raise AccessDenied(Denial.ROLE_REQUIRED, detail, found)

"""Make the keys of the NATS users where there are none, and the server's side of them: once before everything starts.

    python -m services.runtime.users FOLDER

Below FOLDER each service gets a folder of its own with the keys it connects with (`audit/audit.nk`, `audit/pruner.nk`);
`nats.users_dir` of the service is that folder, and nothing else of FOLDER is its business. The server includes
`server/users.conf`. Existing keys are kept; the server's side follows the configuration at each start.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.runtime.nats import system_of
from services.runtime.run import print_problems
from tradebus.bus.permissions import User, permissions
from tradebus.bus.user_keys import UserKeyError, authorization, ensure_keys
from tradebus.config import ConfigError, ExitCode, Settings, load_settings

SERVER: Final = "server"
SERVER_FILE: Final = "users.conf"
SHARED: Final = 0o444
"""A folder is mounted into one container alone, which runs as another user than who makes it."""

FOLDERS: Final = {
    "market": (User.MARKET,),
    "engine": (User.ENGINE,),
    "execution": (User.EXECUTION,),
    "audit": (User.AUDIT, User.PRUNER),
    "operator": (User.OPERATOR,),
    "repair": (User.REPAIR,),
    "provision": (User.PROVISION,),
}


def make_users(folder: Path, settings: Settings) -> Path:
    """Make the folders, and return the server's file. Raises UserKeyError."""
    keys: dict[str, str] = {}
    for name, users in FOLDERS.items():
        keys |= ensure_keys(folder / name, users, SHARED)
    system = system_of(settings)
    text = authorization(keys, {user.value: permissions(user, system) for user in User})
    path = folder / SERVER / SERVER_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text)
        temporary.chmod(SHARED)
        temporary.replace(path)
    except OSError as error:
        raise UserKeyError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = ArgumentParser("python -m services.runtime.users", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the keys are, or will be")
    options = parser.parse_args(argv)
    try:
        path = make_users(options.folder, load_settings([], program="python -m services.runtime.users"))
    except ConfigError as error:
        print_problems(error, sys.stderr)
        return ExitCode.CONFIG_INVALID
    except UserKeyError as error:
        sys.stderr.write(f"no keys made: {error}\n")
        return ExitCode.FAILURE
    sys.stdout.write(f"{len(User)} users in {path}\n")
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())

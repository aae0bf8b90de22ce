"""Who may do what over the API: roles, keys and the file that keeps them."""

from tradebus.access.keyfile import KeyFile, KeyFileError
from tradebus.access.keys import ApiKey, NewKey
from tradebus.access.role import Role

__all__ = ["ApiKey", "KeyFile", "KeyFileError", "NewKey", "Role"]

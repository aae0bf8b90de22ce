"""End a request with an answer that was made elsewhere."""

from typing import Final

from fastapi import Response


class AnsweredElsewhere(Exception):
    """Carries the answer past the route that would have made it."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered elsewhere")
        self.response: Final = response

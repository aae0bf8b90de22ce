"""`/v1/state`: the whole replica."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from services.audit.api.context import Read
from services.audit.api.documents import PAST_READ_PROBLEMS
from services.audit.api.envelope import Envelope
from services.audit.api.paging import NUMBER_MAX
from services.audit.api.problems import ParameterProblem, near_matches, shown, wrong_parameters
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import TimedRead, as_response, ask_past, check_sequence
from services.audit.api.views.diff import StateDiffView
from services.audit.api.views.state import STATE_FIELDS, EngineStatePartView, EngineStateView, state_part
from services.audit.travel.question import Question

router = APIRouter(prefix="/v1/state", tags=["state"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

Answer = Envelope[EngineStateView]
Part = Envelope[EngineStatePartView]
Diff = Envelope[StateDiffView]

_FIELD: Final = "|".join(STATE_FIELDS)
Fields = Annotated[
    str | None,
    Query(
        max_length=400,
        json_schema_extra={"pattern": f"^({_FIELD})(,({_FIELD}))*$"},
        description=f"Only these fields of the data, with commas between: {', '.join(STATE_FIELDS)}.",
        examples=["trading,assets"],
    ),
]
Sequence = Annotated[int, Query(ge=0, le=NUMBER_MAX)]


@router.get(
    "", operation_id="getState", summary="The whole trading state, or some fields of it", response_model=Answer | Part
)
async def get_state(read: TimedRead, fields: Fields = None) -> Response:
    """Return everything that can influence a later output of the engine, as of one sequence.

    Exchanges, assets and instruments come in the order of the journal's numbering. Profits are in the quote asset of
    each instrument.
    """
    wanted = _wanted(fields)
    now = read.now()
    if wanted is None:
        return now.answer_often(Answer, lambda: EngineStateView.of_state(now.state, now.names))
    part = state_part(wanted)
    return now.answer_often(Envelope[part], lambda: part.of_state(now.state, now.names), ",".join(sorted(wanted)))  # type: ignore[valid-type]


@router.get(
    "/diff", operation_id="getStateDiff", summary="In what the states at two sequences differ", response_model=Diff
)
async def get_state_diff(
    request: Request,
    read: Read,
    from_: Annotated[int, Query(alias="from", ge=0, le=NUMBER_MAX, description="The tick that the first state is of.")],
    to: Annotated[int, Query(ge=0, le=NUMBER_MAX, description="The tick that the second state is of.")],
) -> Response:
    """Return every place in which the state right after the tick `to` is not what it was right after `from`."""
    for sequence in (from_, to):
        check_sequence(read.context, sequence)
    question = Question(request.scope["path"], sequence=from_, other=to)
    return as_response(await ask_past(read.context, question), request)


def _wanted(fields: str | None) -> frozenset[str] | None:
    """Return the fields that were asked for, none for all; raises the 422 for others."""
    if fields is None:
        return None
    names = [name.strip() for name in fields.split(",")]
    wrong = [name for name in names if name not in STATE_FIELDS]
    if wrong:
        expected = f"fields of {', '.join(STATE_FIELDS)}"
        raise wrong_parameters(
            [
                ParameterProblem(
                    where="query",
                    name="fields",
                    expected=expected,
                    found=shown(name),
                    near=near_matches(name, STATE_FIELDS) or None,
                )
                for name in wrong
            ]
        )
    return frozenset(names)

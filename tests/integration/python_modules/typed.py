from typing import Annotated, Literal


def process(
    body: memoryview,
    *,
    count: Annotated[int, "How many."],
    factor: float = 1.5,
    flag: bool | None = None,
    url: str = "",
    mode: Literal["fast", "slow"] = "fast",
    names: list[str] | str = "nobody",
    labels: dict[str, str] = {},
    extra=None,
) -> dict:
    """Tells its parameters back, and
    changes one.

    This is not in the summary.
    """
    told = {key: value for key, value in locals().items() if key != "body"}
    told["kinds"] = {key: type(value).__name__ for key, value in told.items()}
    extra = extra if isinstance(extra, list) else []
    extra.append("changed")
    return told

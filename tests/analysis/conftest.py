from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def spoken() -> Callable[..., Any]:
    """An utterance whose frames are `phones` by turns of one frame each, with a row of codes a frame."""
    from unispeech_cli.analysis.observed import Utterance

    def make(phones: str, codes: list[tuple[int, ...]], **named: Any) -> Any:
        said = {"cut_id": "cut", "language": "es", "speaker": None, **named}
        places = np.arange(len(phones)) if "position_T" not in said else np.array(said.pop("position_T"))
        return Utterance(
            said.pop("cut_id"),
            said.pop("language"),
            said.pop("speaker"),
            tuple(phones),
            places,
            np.array(codes),
            **said,
        )

    return make

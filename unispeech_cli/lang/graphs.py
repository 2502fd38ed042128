"""Decoding graphs; the first door to k2, which is imported only when a graph is asked for."""

import importlib
from typing import Any

# a k2.Fsa; k2 ships no types
Graph = Any


def import_k2() -> Any:
    """The k2 module. Raises ValueError with the line that mends its absence."""
    try:
        return importlib.import_module("k2")
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"this needs k2, which does not import here ({reason}): run `local/setup.sh` for torch 1.13.1 "
            "with k2 1.23.4, or `local/setup.sh --env torch2 --k2 WHEEL` with a wheel made for this torch"
        ) from None


def ctc_topology(num_tokens: int) -> Graph:
    """The standard CTC topology H over token ids 0 (blank) to num_tokens - 1.

    Labels are what each frame says, auxiliary labels the tokens emitted. Large tables make large graphs.
    """
    if num_tokens < 2:
        raise ValueError(f"a CTC topology needs blank and at least one more token, got {num_tokens} in all")
    return import_k2().ctc_topo(num_tokens - 1, modified=False)

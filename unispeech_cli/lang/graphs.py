"""Decoding graphs, in memory and on disk; the first door to k2, imported only when a graph is asked for.

On disk a graph is safetensors: `arcs` (arc, 4: from, to, label, bits of the score), auxiliary labels by arc
(`aux_labels`, or `aux_values` with their `aux_row_splits`), and `lm_scores` where it has them.
"""

import importlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from unispeech_cli.atomic import atomic_file

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


def from_arcs(arcs: Iterable[tuple[int, int, int, int]]) -> Graph:
    """A transducer of (from, to, label, auxiliary label), scores 0: states from 0, the last one is final."""
    rows = torch.tensor(sorted(arcs), dtype=torch.int32)
    columns = [rows[:, :3], torch.zeros_like(rows[:, :1])]
    return import_k2().Fsa(torch.cat(columns, dim=1), aux_labels=rows[:, 3].contiguous())


def prune_arcs(graphs: Graph, kept_N: torch.Tensor) -> Graph:
    """A vector of graphs with those of its arcs, by number, that are kept; states that lie on none go too."""
    k2 = import_k2()
    # k2 shows this to Python by posteriors alone, as k2.prune_on_arc_post
    prune = importlib.import_module("_k2").prune_on_arc_post_double
    arcs, numbers = prune(graphs.arcs, torch.where(kept_N, 0.0, -2.0).double(), math.exp(-1), True)
    return k2.utils.fsa_from_unary_function_tensor(graphs, arcs, numbers)


def size(graph: Graph) -> dict[str, int]:
    """Arcs and states of a graph."""
    return {"arcs": graph.arcs.num_elements(), "states": graph.shape[0]}


def save(graph: Graph, path: Path) -> None:
    """Write one graph atomically."""
    tensors = {"arcs": graph.arcs.values()}
    if isinstance(graph.aux_labels, torch.Tensor):
        tensors["aux_labels"] = graph.aux_labels
    else:
        tensors |= {
            "aux_values": graph.aux_labels.values,
            "aux_row_splits": graph.aux_labels.shape.row_splits(1),
        }
    if hasattr(graph, "lm_scores"):
        tensors["lm_scores"] = graph.lm_scores
    with atomic_file(path) as fresh:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, fresh)


def load(path: Path) -> Graph:
    """Read a graph. Raises FileNotFoundError, and ValueError where the file is not a graph."""
    if not path.is_file():
        raise FileNotFoundError(f"no graph {path}")
    try:
        tensors = load_file(path)
        graph = import_k2().Fsa(tensors["arcs"], aux_labels=_aux_labels(tensors))
    except (SafetensorError, KeyError):
        raise ValueError(f"{path} is not a graph: remove its directory to make it again") from None
    if "lm_scores" in tensors:
        graph.lm_scores = tensors["lm_scores"]
    return graph


def _aux_labels(tensors: dict[str, torch.Tensor]) -> Any:
    if "aux_labels" in tensors:
        return tensors["aux_labels"]
    k2 = import_k2()
    shape = k2.ragged.create_ragged_shape2(tensors["aux_row_splits"], None, len(tensors["aux_values"]))
    return k2.RaggedTensor(shape, tensors["aux_values"])

"""Lattices cut down to what later work can hold: so many arcs for each frame, those that the best paths go through.

An unsure model leaves thousands of arcs a frame within a beam that leaves a sure one ten.
"""

from dataclasses import replace
from itertools import pairwise

import torch

from unispeech_cli.decoder.lattice import Lattices
from unispeech_cli.lang.graphs import prune_arcs


def pruned(found: Lattices, arcs_per_frame: int) -> Lattices:
    """The lattices with at most `arcs_per_frame` arcs for each of their frames (more where arcs are equally good).

    What stays of a lattice is what a narrower beam would have left: every arc on a path that is no worse than its
    beam, and the best path in any case.
    """
    fsas = found.fsas
    # how much worse than the best path of all is the best path through each arc
    behind_N = -fsas.get_arc_post(use_double_scores=True, log_semiring=False).detach()
    states, arcs = fsas.arcs.shape().row_splits(1).long(), fsas.arcs.shape().row_splits(2).long()
    kept_N, too_many = torch.ones_like(behind_N, dtype=torch.bool), False
    for (start, end), frames in zip(pairwise(arcs[states].tolist()), found.frames, strict=True):
        if end - start > arcs_per_frame * frames:
            own_N = behind_N[start:end]
            kept_N[start:end] = own_N <= own_N.kthvalue(arcs_per_frame * frames).values
            too_many = True
    return replace(found, fsas=prune_arcs(fsas, kept_N)) if too_many else found

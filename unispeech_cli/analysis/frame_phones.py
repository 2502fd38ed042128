"""Which phone a frame belongs to, by a CTC alignment.

Legend: T frames, L labels.
"""

import numpy as np
from numpy.typing import NDArray

from unispeech_cli.decoder.forced import Alignment

# of a frame that is no phone's
NONE = -1


def label_positions(alignment: Alignment, frames: int, reach: int) -> NDArray[np.int64]:
    """The position in the transcript of each frame's label, (T,); NONE where no label is at most `reach` frames away.

    CTC says a label in a few frames of the phone and blank in the others: a blank frame goes to the nearer label, to
    the earlier of two as near. Pauses are further away than `reach`, and are nobody's.
    """
    time_T, labels = np.arange(frames), len(alignment.first)
    if not labels:
        return np.full(frames, NONE)
    # a label before the first, and one behind the last, too far to be anybody's
    far = frames + reach + 1
    first = np.array([-far, *alignment.first, frames + far])
    last = np.array([-far, *alignment.last, frames + far])
    before_T = np.searchsorted(first, time_T, "right") - 1
    since_T = np.maximum(time_T - last[before_T], 0)
    until_T = first[before_T + 1] - time_T
    nearest_T = np.where(since_T <= until_T, before_T, before_T + 1) - 1
    return np.where(np.minimum(since_T, until_T) <= reach, nearest_T, NONE)

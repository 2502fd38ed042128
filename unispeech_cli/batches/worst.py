"""Made-up batches that no batch of a plan goes beyond in memory."""

from collections.abc import Iterator, Sequence

import torch

from unispeech_cli.batches.batch import Batch, Example, collate
from unispeech_cli.batches.source import Source
from unispeech_cli.frames import SAMPLE_RATE

# more than is spoken, in phones or letters
LABELS_PER_SECOND = 20


def worst_batches(sources: Sequence[Source], seconds: float, tokens: int) -> Iterator[tuple[str, Batch]]:
    """Of at most `seconds` padded seconds: the most cuts as long as the longest, and as short as the shortest.

    Labelled in full, where anything is labelled, and each with its name. Noise: no audio is read.
    """
    lengths = [float(edge) for source in sources for edge in (source.seconds_N.min(), source.seconds_N.max())]
    labelled = any(source.labelled for source in sources)
    for length in (max(lengths), min(lengths)):
        rows = max(1, int(seconds / length))
        yield (
            f"{rows} cut{'s' if rows > 1 else ''} of {length:.1f} s",
            _made_up(rows, length, tokens, labelled),
        )


def _made_up(rows: int, seconds: float, tokens: int, labelled: bool) -> Batch:
    random = torch.Generator().manual_seed(0)
    # no label follows itself: that would need a frame more
    labels = 1 + torch.arange(int(seconds * LABELS_PER_SECOND)) % max(tokens - 1, 1)
    samples = round(seconds * SAMPLE_RATE)
    return collate(
        [
            Example(
                f"made up {row}",
                "",
                0.1 * torch.randn(samples, generator=random),
                labels if labelled else None,
            )
            for row in range(rows)
        ]
    )

"""What the paper found: its Table 1, one-to-one, Base; phone error rates in % after one labelled hour of a language."""

from collections.abc import Mapping
from statistics import mean

LANGUAGES = ("es", "fr", "it", "ky", "nl", "ru", "sv", "tt")
TABLE_1 = {
    "ctc-transfer": (12.6, 16.7, 16.4, 12.9, 17.5, 17.5, 20.7, 11.2),
    "contrastive": (12.4, 16.9, 17.2, 13.7, 18.2, 19.0, 22.4, 11.4),
    "contrastive+": (6.5, 9.0, 9.3, 8.2, 9.8, 10.1, 20.5, 7.4),
    "r0": (12.1, 16.5, 16.3, 12.3, 17.2, 16.8, 20.5, 10.9),
    "unispeech": (10.9, 14.8, 15.2, 11.4, 16.2, 16.1, 19.3, 9.6),
    "unispeech+": (5.7, 7.9, 8.1, 6.8, 9.3, 8.6, 17.7, 6.0),
}
# the name of the mean over all of them
MEAN = f"mean of {len(LANGUAGES)}"


def found(system: str) -> Mapping[str, float]:
    """By language, and their mean; nothing for a system that the table has not."""
    if system not in TABLE_1:
        return {}
    return {**dict(zip(LANGUAGES, TABLE_1[system], strict=True)), MEAN: mean(TABLE_1[system])}

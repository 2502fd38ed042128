"""What a corpus holds: hours, sentences, words, speakers and phones of each split."""

from collections import Counter
from dataclasses import asdict, dataclass

from mini_corpora.grammar import words
from mini_corpora.selection import SPLITS
from mini_corpora.speaking import Spoken

HEADINGS = (
    "corpus",
    "lang",
    "split",
    "hours",
    "sentences",
    "word types",
    "speakers",
    "phones",
    "phone types",
)


@dataclass(frozen=True)
class Row:
    """Counts of one split; `phones` maps each phone to how often it is said."""

    corpus: str
    language: str
    split: str
    hours: float
    sentences: int
    word_types: int
    speakers: int
    phones: dict[str, int]

    def as_dict(self) -> dict[str, object]:
        """Return the row as plain values for JSON."""
        return asdict(self)

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as it is printed under HEADINGS."""
        places = (self.corpus, self.language, self.split, f"{self.hours:.3f}")
        numbers = (
            self.sentences,
            self.word_types,
            self.speakers,
            sum(self.phones.values()),
            len(self.phones),
        )
        return (*places, *map(str, numbers))


def count(corpus: str, language: str, spoken: list[Spoken]) -> list[Row]:
    """Count what was spoken, a row for each split."""
    return [_row(corpus, language, split, [one for one in spoken if one.split == split]) for split in SPLITS]


def _row(corpus: str, language: str, split: str, spoken: list[Spoken]) -> Row:
    phones = sum((one.phones for one in spoken), Counter())
    return Row(
        corpus=corpus,
        language=language,
        split=split,
        hours=round(sum(one.seconds for one in spoken) / 3600, 4),
        sentences=len(spoken),
        word_types=len({word for one in spoken for word in words(one.text, language)}),
        speakers=len({one.speaker for one in spoken}),
        phones=dict(phones.most_common()),
    )


def table(rows: list[Row]) -> str:
    """Return the rows as aligned columns, and under them every split's phones, most frequent first."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    text += [""] + [f"{row.corpus} {row.language} {row.split}: {_phone_counts(row)}" for row in rows]
    return "\n".join(text)


def _phone_counts(row: Row) -> str:
    return " ".join(f"{phone} {times}" for phone, times in row.phones.items())

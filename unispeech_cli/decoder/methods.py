"""The methods of `unispeech decode`, by name, what each needs, and how they search."""

from dataclasses import dataclass, field
from pathlib import Path

from unispeech_cli.decoder.beam import PrefixBeams
from unispeech_cli.decoder.lattice import Beams
from unispeech_cli.decoder.nbest import NbestSettings
from unispeech_cli.decoder.scales import setting
from unispeech_cli.paths import LangDir

METHODS = ("greedy", "prefix-beam", "one-best", "nbest", "hlg", "nbest-rescoring", "lattice-rescoring")
RESCORING = ("nbest-rescoring", "lattice-rescoring")


@dataclass(frozen=True)
class SearchSettings:
    """How the methods search."""

    beams: Beams = field(default_factory=Beams)
    """Of the methods that search a graph."""
    prefix: PrefixBeams = field(default_factory=PrefixBeams)
    nbest: NbestSettings = field(default_factory=NbestSettings)
    rescored_arcs: int = 30
    """Arcs a frame, at most, of a lattice that is rescored whole: a 4-gram makes some hundred of each."""
    swept_arcs: int = 300
    """The same of one on which several scales of the language model are tried."""
    lm_scale: float = 0.6
    """Of the language model in the search, and in the result where no scales are given."""
    bias_bonus: float = 1.0
    """Log-probability that each unit of a likely word gains."""

    def __post_init__(self) -> None:
        if min(self.rescored_arcs, self.swept_arcs) < 1:
            raise ValueError("rescored_arcs and swept_arcs are numbers of arcs a frame, from 1 on")
        if self.bias_bonus < 0:
            raise ValueError(f"a bias bonus of {self.bias_bonus:g}: it is a log-probability from 0 on")


@dataclass(frozen=True)
class Method:
    """What is asked for: a method, and the files that it searches with."""

    name: str = "greedy"
    lang_dir: Path | None = None
    lm: Path | None = None
    rescore_lm: Path | None = None
    scales: tuple[float, ...] | None = None
    bias: Path | None = None

    def __post_init__(self) -> None:
        for fault, present in self._faults().items():
            if present:
                raise ValueError(f"--method {self.name}: {fault}")

    @property
    def has_words(self) -> bool:
        """Whether the graph that is searched is one of words."""
        return self.name in ("hlg", *RESCORING) or (self.name == "nbest" and self.lm is not None)

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the results: one for each scale, as icefall calls them, or the method's own."""
        if self.scales is None:
            return (self.name,)
        return tuple(setting(scale) for scale in self.scales)

    @property
    def files(self) -> list[Path]:
        """What the result depends on besides checkpoint and cuts."""
        files = [path for path in (self.lm, self.rescore_lm, self.bias) if path is not None]
        lang = LangDir(self.lang_dir) if self.lang_dir and (self.has_words or self.bias) else None
        return files + ([path for path in (lang.lexicon, lang.subwords) if path.is_file()] if lang else [])

    def _faults(self) -> dict[str, bool]:
        known = ", ".join(METHODS)
        with_lm = ", ".join(name for name in METHODS if name in ("nbest", "hlg", *RESCORING))
        return {
            f"known are {known}": self.name not in METHODS,
            "add --lang-dir, the words that the model can say": self.has_words and self.lang_dir is None,
            "add --lm, an ARPA language model": self.name in RESCORING and self.lm is None,
            f"--lm is for {with_lm}": self.lm is not None and not self.has_words,
            f"--rescore-lm is for {', '.join(RESCORING)}": bool(self.rescore_lm)
            and self.name not in RESCORING,
            "--lm-scales need --lm": self.scales is not None and self.lm is None,
            "--lm-scales: each once": self.scales is not None
            and len(set(self.settings)) < len(self.settings),
            "--bias needs a search that looks around: prefix-beam, or one in a graph": self.name == "greedy"
            and self.bias is not None,
        }

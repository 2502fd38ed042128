"""A plan as a list of cells: one training, decoding, scoring or analysis each, after those that it needs."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from study.plan import Part, Plan, former

# in the order in which a cell of one kind needs those of others
KINDS = ("pretrain", "continue", "finetune", "decode", "score", "analyze")
TRAININGS = KINDS[:3]
SCRATCH = "scratch"
CONTRAST = "contrastive"
# what learns by a schedule of its own: the one that the others share teaches it nothing
OWN_SETTINGS = {
    ("finetune", SCRATCH): "scratch",
    ("pretrain", CONTRAST): "contrastive",
    ("continue", CONTRAST): "contrastive-continue",
    ("finetune", CONTRAST): "contrastive-finetune",
}
# knows phones best and has no codebook
ALIGNER = "ctc-transfer"


@dataclass(frozen=True)
class Cell:
    """`id` is its directory below the study's; of what is empty there is nothing.

    `source`, `target` and `hears` are languages joined by +, `init` is the cell whose encoder is gone on from,
    or whose model is looked at; `aligner` the one whose CTC says where phones are.
    """

    kind: str
    id: str
    needs: tuple[str, ...]
    system: str
    seed: int
    source: str = ""
    vocab: str = ""
    init: str = ""
    aligner: str = ""
    hears: str = ""
    target: str = ""
    labels: str = ""
    fold: int = 0
    sets: str = ""

    @property
    def conf(self) -> str:
        """The settings that it has, by their name in the recipe; nothing where it is no training."""
        own = OWN_SETTINGS.get((self.kind, former(self.system) or self.system))
        return own or (self.kind if self.kind in TRAININGS else "")


def cells(plan: Plan) -> list[Cell]:
    """Every cell once, seed by seed and system by system, so that a table fills up evenly."""
    found: dict[str, Cell] = {}
    for seed in plan.seeds:
        for part in plan.parts:
            for system in part.systems:
                for cell in _of_system(plan, part, system, seed):
                    found.setdefault(cell.id, cell)
    return list(found.values())


def encoder(plan: Plan, part: Part, system: str, seed: int, target: str = "", fold: int = 0) -> list[Cell]:
    """The trainings that a system's encoder is made by, the last one last; none where it is trained from scratch."""
    if system == SCRATCH:
        return []
    place = f"{languages(part.source, part.vocab)}/{system}/seed-{seed}"
    common = {"system": system, "seed": seed, "source": part.source, "vocab": part.vocab}
    name = former(system)
    if not name:
        return [Cell("pretrain", f"{place}/pretrain", (), sets=_sets(plan, system), **common)]
    before = encoder(plan, part, name, seed)
    hears = part.source if system.endswith("source") else "+".join(plan.unlabeled) or target
    own = "" if system.endswith("source") else f"-{_short(hears)}{_fold(fold)}"
    last = Cell(
        "continue",
        f"{place}/continue{own}",
        (before[-1].id,),
        init=before[-1].id,
        hears=hears,
        fold=0 if system.endswith("source") else fold,
        sets=_sets(plan, name),
        **common,
    )
    return [*before, last]


def tuned(plan: Plan, part: Part, system: str, seed: int, target: str, labels: str, fold: int = 0) -> Cell:
    """The fine-tuning of a system on a target."""
    made = encoder(plan, part, system, seed, target, fold)
    above = f"{languages(part.source, part.vocab)}/{system}" if made else system
    name = f"{languages(target, part.vocab)}-{labels}{_fold(fold)}"
    return Cell(
        "finetune",
        f"{above}/seed-{seed}/{name}",
        (made[-1].id,) if made else (),
        system,
        seed,
        source=part.source if made else "",
        vocab=part.vocab,
        init=made[-1].id if made else "",
        target=target,
        labels=labels,
        fold=fold,
    )


def analysis(plan: Plan, part: Part, system: str, seed: int, target: str = "", fold: int = 0) -> list[Cell]:
    """The analysis of a system's codebook, last; before it the training whose CTC says for all where phones are."""
    made = encoder(plan, part, system, seed, target, fold)[-1]
    aligner = encoder(plan, part, ALIGNER, seed)
    last = Cell(
        "analyze",
        f"{made.id}/analysis",
        (made.id, aligner[-1].id),
        system,
        seed,
        source=part.source,
        vocab=part.vocab,
        init=made.id,
        aligner=aligner[-1].id,
        target=target,
        fold=made.fold,
    )
    return [*aligner, last]


def measured(training: Cell) -> Iterator[Cell]:
    """What a fine-tuning is decoded and, last, scored by."""
    before = training.id
    for kind in ("decode", "score"):
        name = f"{training.id}/{'decode' if kind == 'decode' else 'decode/score.json'}"
        yield Cell(
            kind,
            name,
            (before,),
            training.system,
            training.seed,
            source=training.source,
            vocab=training.vocab,
            init=training.id,
            target=training.target,
            labels=training.labels,
            fold=training.fold,
        )
        before = name


def languages(joined: str, vocab: str) -> str:
    """The name of what is made of these languages together: `en`, or `en+es-separate`."""
    return f"{joined}-{vocab}" if "+" in joined else joined


def choose(found: Sequence[Cell], only: str) -> list[Cell]:
    """The cells that have all of `seed=1 system=unispeech,r0`, and whatever these need.

    Raises ValueError for a field that no cell has, and where nothing is chosen.
    """
    wanted = dict(word.partition("=")[::2] for word in only.split())
    unknown = set(wanted) - set(Cell.__dataclass_fields__)
    if unknown:
        raise ValueError(f"--only {only}: cells have no {', '.join(sorted(unknown))}")
    by_id = {cell.id: cell for cell in found}
    chosen = {cell.id for cell in found if _has(cell, wanted)}
    if not chosen:
        raise ValueError(f"--only {only}: there is no such cell; without it, they are listed by --list true")
    needed = {name for cell in chosen for name in _closure(by_id, cell)}
    return [cell for cell in found if cell.id in needed]


def without(found: Sequence[Cell], known: Collection[str]) -> list[Cell]:
    """The cells but for those, by their ids, whose outcome is known, and for what nothing else needs."""
    by_id = {cell.id: cell for cell in found}
    between = {name for cell in found for name in cell.needs}
    left = [name for name in by_id if name not in between and name not in known]
    needed = {name for last in left for name in _closure(by_id, last)}
    return [cell for cell in found if cell.id in needed]


def _has(cell: Cell, wanted: dict[str, str]) -> bool:
    return all(str(getattr(cell, name)) in values.split(",") for name, values in wanted.items())


def _closure(by_id: dict[str, Cell], name: str) -> set[str]:
    return {name}.union(*(_closure(by_id, need) for need in by_id[name].needs))


def _of_system(plan: Plan, part: Part, system: str, seed: int) -> Iterator[Cell]:
    for target in part.targets:
        for fold in plan.folds or (0,):
            yield from encoder(plan, part, system, seed, target, fold)
            for labels in part.labels:
                training = tuned(plan, part, system, seed, target, labels, fold)
                yield training
                yield from measured(training)
            if system in plan.analyze:
                yield from analysis(plan, part, system, seed, target, fold)


def _sets(plan: Plan, system: str) -> str:
    return ",".join(plan.sets[system].split())


def _fold(fold: int) -> str:
    return f"-fold-{fold}" if fold else ""


def _short(hears: str) -> str:
    """Languages by name, or how many where a directory's name would be long."""
    number = hears.count("+") + 1
    return hears if number <= 5 else f"{number}-languages"

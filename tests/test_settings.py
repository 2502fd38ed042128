from dataclasses import dataclass, field
from pathlib import Path

import pytest

from unispeech_cli.settings import dump, load, read


@dataclass(frozen=True)
class Inner:
    lr: float = 1e-3
    name: str = "adam"


@dataclass(frozen=True)
class Outer:
    optim: Inner = field(default_factory=Inner)
    maybe: Inner | None = field(default_factory=Inner)
    steps: int = 10


def test_later_sources_win(tmp_path: Path) -> None:
    config = tmp_path / "conf.yaml"
    config.write_text("optim: {lr: 3e-4}\nsteps: 20\n")
    settings = load(Outer, config, ["steps=30"], preset={"optim": {"lr": 1.0, "name": "sgd"}})
    assert settings == Outer(Inner(3e-4, "sgd"), Inner(), 30)


def test_scientific_notation_is_a_number() -> None:
    assert load(Outer, overrides=["optim.lr=3e-4"]).optim.lr == 3e-4


def test_one_setting_of_a_part_leaves_the_others_at_the_defaults_of_the_whole() -> None:
    @dataclass(frozen=True)
    class Fine:
        optim: Inner = field(default_factory=lambda: Inner(2e-5, "adamw"))

    assert load(Fine, overrides=["optim.lr=0.5"]) == Fine(Inner(0.5, "adamw"))
    assert load(Fine, preset={"optim": {"name": "sgd"}}) == Fine(Inner(2e-5, "sgd"))


def test_what_a_settings_class_refuses_is_named() -> None:
    @dataclass(frozen=True)
    class Run:
        steps: int = 1

        def __post_init__(self) -> None:
            if self.steps < 1:
                raise ValueError(f"steps is at least 1, not {self.steps}")

    @dataclass(frozen=True)
    class Whole:
        run: Run = field(default_factory=Run)

    with pytest.raises(ValueError, match=r"^setting run: steps is at least 1, not 0$"):
        load(Whole, overrides=["run.steps=0"])


def test_null_switches_a_part_off() -> None:
    assert load(Outer, overrides=["maybe=null"]).maybe is None


def test_dump_reads_back(tmp_path: Path) -> None:
    settings = Outer(Inner(2e-5, "x"), None, 7)
    (tmp_path / "settings.yaml").write_text(dump(settings))
    assert read(Outer, tmp_path / "settings.yaml") == settings


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lrr=1", "unknown setting optim.lrr; did you mean optim.lr?"),
        ("optin.lr=1", "unknown setting optin; did you mean optim?"),
        ("steps=many", "setting steps"),
        ("steps=1.5", "setting steps"),
        ("steps", "expected name=value"),
        ("optim=3", "setting optim"),
    ],
)
def test_what_does_not_fit_is_named(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        load(Outer, overrides=[override])


def test_unknown_name_in_a_file_names_the_file(tmp_path: Path) -> None:
    config = tmp_path / "conf.yaml"
    config.write_text("stepz: 1\n")
    with pytest.raises(ValueError, match=r"conf\.yaml: unknown setting stepz; did you mean steps\?"):
        load(Outer, config)


def test_a_list_is_not_settings(tmp_path: Path) -> None:
    (tmp_path / "conf.yaml").write_text("- 1\n")
    with pytest.raises(ValueError, match="holds a list"):
        load(Outer, tmp_path / "conf.yaml")

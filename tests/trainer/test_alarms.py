import pytest

from unispeech_cli.trainer.alarms import AlarmSettings, Watch, blank_alarm, codebook_alarms

SETTINGS = AlarmSettings(window=3, again=10, codes_after=0.1, blanks_after=0.5)
# of 2 x 32 entries, healthy
HEALTHY = {"code_perplexity": 40.0, "dead_codes": 0.2, "same_code_share": 0.05, "positive_gap": 0.2}


def watch() -> Watch:
    return Watch(SETTINGS, (*codebook_alarms(SETTINGS, 2, 32), blank_alarm(SETTINGS)), updates=100)


def told(figure: str, values: list[float], first: int = 1) -> dict[int, str]:
    """By update what is said of a figure that goes through `values`; the start of each line."""
    seen, said = watch(), {}
    for update, value in enumerate(values, first):
        for line in seen.see(update, {figure: value}):
            said[update] = line.partition(":")[0] if "over:" in line else line.split(" over the last")[0]
    return said


@pytest.mark.parametrize(
    ("figure", "name", "value"),
    [
        ("code_perplexity", "codebook collapse", 2.1),
        ("dead_codes", "codebook collapse", 0.96),
        ("same_code_share", "codebook collapse", 0.8),
        ("positive_gap", "no contrast", 0.001),
        ("blank_share", "all blanks", 1.0),
    ],
)
def test_what_is_wrong_over_a_window_is_told_by_name_with_advice(
    figure: str, name: str, value: float
) -> None:
    seen = watch()
    lines = [line for update in range(60, 64) for line in seen.see(update, {**HEALTHY, figure: value})]
    (line,) = lines
    assert line.startswith(f"warning: {name}: {figure} {value:.3g} over the last 3 updates, ")
    assert "What helps: " in line


def test_the_floor_of_perplexity_is_that_of_the_codebook() -> None:
    # 2 groups of 32: from 2 to 64, and 2 % of the way is 3.24
    assert told("code_perplexity", [3.3] * 6, 50) == {}
    assert told("code_perplexity", [3.2] * 3, 50) == {52: "warning: codebook collapse: code_perplexity 3.2"}


def test_what_is_normal_at_the_start_is_not_told() -> None:
    assert told("blank_share", [1.0] * 50) == {}
    assert told("blank_share", [1.0] * 51) == {51: "warning: all blanks: blank_share 1"}
    # a figure is averaged from the start on
    assert told("dead_codes", [1.0] * 11) == {11: "warning: codebook collapse: dead_codes 1"}


def test_one_bad_update_is_no_alarm_and_what_lasts_is_told_again() -> None:
    assert told("same_code_share", [0.1, 1.0, 0.1, 0.1, 0.1], 50) == {}
    lasting = "warning: codebook collapse: same_code_share 0.9"
    assert told("same_code_share", [0.9] * 25, 50) == {52: lasting, 62: lasting, 72: lasting}


def test_the_end_is_told_once_and_what_comes_back_waits_its_turn() -> None:
    values = [0.9] * 3 + [0.0] * 5 + [0.9] * 20
    assert told("same_code_share", values, 50) == {
        52: "warning: codebook collapse: same_code_share 0.9",
        54: "codebook collapse is over",
        62: "warning: codebook collapse: same_code_share 0.9",
        72: "warning: codebook collapse: same_code_share 0.9",
    }


def test_figures_that_are_not_there_are_not_looked_at() -> None:
    seen = watch()
    assert [seen.see(update, {"code_perplexity": 40.0}) for update in range(50, 60)] == [[]] * 10
    with pytest.raises(ValueError, match="at least 1 update"):
        AlarmSettings(window=0)

"""Tests that need k2 are deselected where it cannot be imported, and their number is printed."""

import warnings

import pytest

DESELECTED = pytest.StashKey[int]()


def k2_works() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import k2
        except Exception:  # a k2 built for another torch raises what it likes
            return False
    return hasattr(k2, "ctc_loss")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if k2_works():
        return
    need_k2 = [item for item in items if item.get_closest_marker("k2")]
    config.stash[DESELECTED] = len(need_k2)
    config.hook.pytest_deselected(items=need_k2)
    items[:] = [item for item in items if not item.get_closest_marker("k2")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    deselected = config.stash.get(DESELECTED, None)
    if deselected is not None:
        terminalreporter.write_line(
            f"k2 cannot be imported here: {deselected} tests that need it were deselected"
        )

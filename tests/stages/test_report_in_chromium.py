"""The report as a browser shows it: headless Chromium, spoken to by its DevTools protocol through a pipe."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from fcntl import F_DUPFD_CLOEXEC, fcntl
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from unispeech_cli.decoder.hypotheses import Decoded, Hypothesis, write_hypotheses
from unispeech_cli.paths import DecodeDir
from unispeech_cli.provenance import record
from unispeech_cli.stages.report import report
from unispeech_cli.stages.score import score

pytestmark = pytest.mark.chromium

# what the tones of three utterances say, and how two systems heard them
SAID = {"a e i o": ("a i o", "a e i o"), "o o a e": ("o o a i e e", "i"), "i a": ("i a", "a a")}


class Browser:
    """One page of a headless Chromium; `problems` are what its console and its loader complained of."""

    def __init__(self, program: str, profile: Path) -> None:
        # the protocol is spoken over descriptors 3 and 4, which may be in use here
        ours, theirs = os.pipe(), os.pipe()
        ends = [fcntl(end, F_DUPFD_CLOEXEC, 10) for end in (ours[0], theirs[1])]
        options = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --mute-audio".split()
        options += ["--remote-debugging-pipe", f"--user-data-dir={profile}"]
        launch = f"import os, sys; os.dup2({ends[0]}, 3); os.dup2({ends[1]}, 4); os.execvp(sys.argv[1], sys.argv[1:])"
        command = [sys.executable, "-c", launch, program, *options]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, pass_fds=ends, stdout=quiet, stderr=quiet)
        for end in (ours[0], theirs[1], *ends):
            os.close(end)
        self.write, self.read = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self.rest, self.numbers, self.problems, self.session = b"", count(1), list[str](), None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        number = next(self.numbers)
        session = {"sessionId": self.session} if self.session else {}
        message = {"id": number, "method": method, "params": params, **session}
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while True:
            found = self._message()
            if found.get("id") == number:
                assert "error" not in found, found
                return found["result"]

    def _message(self) -> Any:
        while b"\0" not in self.rest:
            more = os.read(self.read.fileno(), 1 << 20)
            assert more, "the browser has gone"
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        found = json.loads(message)
        self._listen(found.get("method", ""), found.get("params", {}))
        return found

    def _listen(self, event: str, params: Any) -> None:
        if event in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.problems.append(json.dumps(params))
        if event == "Network.requestWillBeSent" and not params["request"]["url"].startswith(
            ("file:", "data:")
        ):
            self.problems.append(params["request"]["url"])

    def open(self, page: Path, width: int = 1200, *, dark: bool = False) -> None:
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.problems.clear()
        self.call("Page.navigate", url=page.as_uri())
        while self._message().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """What a script returns; a promise is waited for, as by one who has clicked."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        found = self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self) -> bytes:
        """A PNG of the whole page."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def close(self) -> None:
        self.write.close()
        self.process.terminate()
        self.process.wait()
        self.read.close()


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(chromium, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tones: Callable[..., Path]) -> Path:
    """A report on two systems, with a speaker each utterance and audio."""
    root = tmp_path_factory.mktemp("report")
    manifest = tones(root / "tones_cuts_test.jsonl.gz", list(SAID))
    for system in (0, 1):
        heard = [
            Hypothesis(
                f"tones_cuts_test-{number}", f"tones_cuts_test-{number}", 0.0, 0.1 + 0.12 * len(said.split()), 0,
                tuple(found[system].split()), -1.0, tuple(said.split()), speaker=f"speaker-{'x' * 90}-{number}",
                ref_text="<b>& said", times=tuple((0.05 + 0.12 * n, 0.12) for n in range(len(found[system].split()))),
            )
            for number, (said, found) in enumerate(SAID.items())
        ]  # fmt: skip
        place = DecodeDir(root / f"system-{system}")
        place.root.mkdir()
        write_hypotheses(place.hypotheses("tones-test", "greedy"), heard)
        record(
            place.decoded, asdict(Decoded(("tones-test",), "greedy", ("greedy",), "phones", "exp", "print"))
        )
    systems = [root / "system-0", root / "system-1"]
    list(score(systems))
    list(report(systems, root / "report.html", cuts=[manifest]))
    return root / "report.html"


def test_the_page_loads_nothing_and_nothing_goes_wrong(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("document.querySelector('h1').textContent") == "Recognition report"
    assert browser.problems == []


def test_the_table_sorts_by_the_heading_that_is_pressed(browser: Browser, page: Path) -> None:
    browser.open(page)
    press = "[...document.querySelectorAll('#rates th button')].find(b => b.textContent === 'PER %').click();"
    column = "[...document.querySelectorAll('#rates tbody tr')].map(row => row.cells[2].querySelector('b').textContent)"
    assert browser.run(f"{press} {column}") == ["50.0", "30.0"]
    assert browser.run(f"{press} {column}") == ["30.0", "50.0"]
    assert browser.run("document.querySelector('#rates th[aria-sort]').ariaSort") == "ascending"


def test_the_audio_of_a_worst_utterance_plays(browser: Browser, page: Path) -> None:
    browser.open(page)
    played = browser.run("""
        const audio = document.querySelector('.cards audio');
        new Promise((done) => {
          audio.addEventListener('ended', () => done([audio.duration, audio.currentTime, audio.error]));
          audio.play();
        })""")
    assert played == [pytest.approx(0.58, abs=0.01), pytest.approx(0.58, abs=0.01), None]
    assert browser.problems == []


def test_a_heard_phone_plays_from_where_it_was_heard(browser: Browser, page: Path) -> None:
    browser.open(page)
    at = browser.run("""
        const phone = [...document.querySelectorAll('.cards .pair')].find((pair) => pair.dataset.at === '0.290');
        const audio = phone.closest('li').querySelector('audio');
        new Promise((done) => {
          audio.addEventListener('seeked', () => done(audio.currentTime), { once: true });
          phone.click();
        })""")
    assert at == pytest.approx(0.29, abs=0.05)


def test_alignments_are_told_apart_without_colour(browser: Browser, page: Path) -> None:
    browser.open(page)
    lines = browser.run("[...document.querySelectorAll('.cards .alignment')].map((line) => line.innerText)")
    assert ["".join(line.split()) for line in lines[2:]] == ["iiaa", "iaSaa", "aae∅Diioo", "aaeeiioo"]
    borders = "(kind) => getComputedStyle(document.querySelector(`.cards .pair.${kind}`)).borderTopStyle"
    assert browser.run(f"['sub', 'del', 'ins'].map({borders})") == ["solid", "dashed", "dotted"]


def test_a_confusion_is_read_out_when_tapped(browser: Browser, page: Path) -> None:
    browser.open(page)
    said = browser.run("""
        const cell = document.querySelector('[data-say^="i heard as a "]');
        cell.click();
        cell.closest('.picture').querySelector('output').textContent""")
    assert said == "i heard as a 1 time, 50.0% of i"


def test_the_worst_are_put_in_another_order(browser: Browser, page: Path) -> None:
    browser.open(page)
    ids = "[...document.querySelectorAll('.cards h4')].map((head) => head.textContent.slice(-1)).join('')"
    assert browser.run(ids) == "120"
    choose = "const list = document.querySelector('select'); list.value = 'seconds';"
    assert browser.run(f"{choose} list.dispatchEvent(new Event('change')); {ids}") == "102"


def test_a_telephone_scrolls_only_downwards(browser: Browser, page: Path) -> None:
    browser.open(page, width=390)
    assert browser.run("document.documentElement.scrollWidth") == 390


def test_dark_is_dark_and_light_is_light(browser: Browser, page: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    browser.open(page)
    assert min(browser.run(ground)) > 230
    browser.open(page, dark=True)
    assert max(browser.run(ground)) < 40

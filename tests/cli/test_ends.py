"""How commands end where something is against them: in one line, by a documented exit code, with nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import ROOT, heeding_signals, run

import meanfield as mf
import meanfield.errors
from meanfield.errors import MeanFieldError, printable, shortened

PHI = '{"points": [[-1, 0], [1, 1]], "left": 0, "right": 0}'
HUGE = ["simulate", "--act", "relu", "--width", "5", "--memory", "1000TB"]
SMALL = ["--act", "relu", "--width", "5", "--depth", "2", "--networks", "3", "--jobs", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory for the time of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(*arguments: str) -> str:
    """The one line in which a command refuses."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.isprintable()
    return line


@pytest.mark.parametrize(
    "command",
    [
        ["eoc", "--format", "json"],
        ["maps"],
        ["phase"],
        ["check", "--sigma-w", "1"],
        ["stability", "--width", "9", "--depth", "2"],
        ["sparsity", "--width", "9"],
        ["simulate", "--width", "9", "--depth", "2"],
        ["verify", "--width", "9", "--depth", "2"],
        ["derive"],
        ["plot", "variance"],
    ],
    ids=lambda command: command[0],
)
def test_no_command_writes_over_what_it_reads(command: list[str], folder: Path) -> None:
    (folder / "in.json").write_text(PHI)
    (folder / "link.json").symlink_to("in.json")
    (folder / "hard.json").hardlink_to("in.json")
    for name in ("in.json", "link.json", "hard.json"):
        assert "is computed from this file" in refusal(*command, "--act", "in.json", "-o", name)
    assert (folder / "in.json").read_text() == PHI


def test_what_an_activation_is_called_is_no_file_that_is_read(folder: Path) -> None:
    for _ in range(2):
        assert run("eoc", "--act", "relu", "-o", "relu").exit_code == 0


def test_nor_the_networks_the_style_or_the_code_of_a_figure(folder: Path) -> None:
    assert run("simulate", *SMALL, "-o", "run.npz").exit_code == 0
    (folder / "run.pdf").hardlink_to("run.npz")
    (folder / "s.mplstyle").write_text("lines.linewidth: 2")
    (folder / "s.pdf").symlink_to("s.mplstyle")
    (folder / "code.py").write_text("")
    (folder / "code.csv").symlink_to("code.py")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for arguments in (
        ["trajectory", "--networks-from", "run.npz", "-o", "run.pdf"],
        ["variance", "--act", "relu", "--style", "s.mplstyle", "-o", "s.pdf"],
        ["variance", "--act", "code:f", "--data", "code.csv"],
    ):
        assert "is computed from this file" in refusal("plot", *arguments)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["kept.json", "kept.pdf", "kept.jsonl", "kept.npz"])
def test_a_read_only_file_is_kept(name: str, folder: Path) -> None:
    (folder / name).touch(0o444)
    command = ["plot", "variance", "--act", "relu"] if name == "kept.pdf" else ["simulate", *SMALL]
    assert "is read-only" in refusal(*command, "-o", name)
    assert (folder / name).read_bytes() == b""


def test_of_several_results_all_are_written_or_none(folder: Path) -> None:
    for name in ("a.npz", "a.json", "a.csv", "a.txt"):
        assert "No space left" in refusal("simulate", *SMALL, "-o", name, "-o", "/dev/full")
        assert [*folder.iterdir()] == []


def test_an_ending_that_says_nothing_is_told_all_that_would_do() -> None:
    assert ".json .csv .tex .md .txt .npz .jsonl" in refusal("simulate", *SMALL, "-o", "x.pdf")


TERMINAL = "\x1b[2J\a\n\u202e"
RAW = {
    "a file": ["eoc", "--act", f"{TERMINAL}.json"],
    "a folder": ["eoc", "--act", "relu", "-o", f"{TERMINAL}/x"],
    "a parameter": ["eoc", "--act", "relu", "-p", f"{TERMINAL}=1"],
    "a range": ["maps", "--act", "relu", "--q", TERMINAL],
    "a format": ["eoc", "--act", "relu", "--format", TERMINAL],
    "a command": [TERMINAL],
    "a cluster": ["simulate", *SMALL, "--dask", TERMINAL],
    "networks": ["plot", "trajectory", "--networks-from", f"{TERMINAL}.npz"],
    "a run": ["simulate", *SMALL, "--resume", "-o", "run.jsonl"],
}


@pytest.mark.parametrize("what", RAW)
def test_nothing_reaches_a_terminal_that_it_would_obey(what: str, folder: Path) -> None:
    header = {"format": "meanfield simulation 2", "activation": TERMINAL, "experiment": {}}
    (folder / "run.jsonl").write_text(json.dumps(header) + "\n")
    assert r"\x1b[2J\x07\n\u202e" in refusal(*RAW[what]).replace("\\\\", "\\")


def test_text_that_is_printable_stays_as_it_is() -> None:
    assert printable("σ_w² = 1.5, φ(x) ≥ 0") == "σ_w² = 1.5, φ(x) ≥ 0"
    assert printable("a\tb\udcff") == r"a\tb\udcff"


def test_a_message_shows_the_beginning_of_what_is_long() -> None:
    assert shortened("σ" * 80) == "σ" * 80 and shortened("σ" * 81) == "σ" * 77 + "..."
    assert shortened("\n" * 81) == r"\n" * 38 + "\\" + "..."
    assert (shortened(None), shortened(1.5)) == ("None", "1.5")
    for refused in (lambda: mf.activation(10**5000), lambda: mf.activation("relu", tau=10**5000)):
        with pytest.raises(MeanFieldError) as told:
            refused()
        assert len(str(told.value)) < 300
    long = "x" * 5000
    for options in (
        ["eoc", "--act", "relu", "--q-star", long],
        ["design", "--safe-for", long],
        ["check", "--act", "relu", "--init", f"normal:std={long}"],
    ):
        assert "x" * 60 in (line := refusal(*options)) and "x..." in line and len(line) < 300


def test_an_ending_is_read_by_the_commands_that_write_it(folder: Path) -> None:
    asked = ["derive", "--act", "relu"]
    assert run(*asked, "-o", "f.PY").exit_code == 0
    assert "import" in (folder / "f.PY").read_text()
    assert "contradict" in refusal(*asked, "-o", "f.py", "-f", "latex")
    assert run("eoc", "--act", "relu", "-o", "t.py", "-f", "csv").exit_code == 0


def test_every_error_can_be_caught_by_the_name_it_has_here() -> None:
    import meanfield as mf

    for name in meanfield.errors.__all__:
        error = getattr(meanfield.errors, name)
        if isinstance(error, type):
            assert issubclass(error, MeanFieldError) and getattr(mf, name) is error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["design", "--sparsity", "0.5:0.9:1000000", "--slope", "0.5:0.9:1000000"], "a count from 2 to 100000"),
        (["design", "--sparsity", "0.5:0.9:101", "--slope", "0.5:0.9:100"], "10100 designs cannot be worked out"),
        (["design", "--sparsity", "0.5:0.9:101", "--safe-for", "width=9,depth=9"], "give from 1 to 100"),
        (["plot", "design", "--sparsity", "0.5:0.9:101", "--levels", "1:2:100"], "give from 1 to 2000"),
        (["plot", "slope", "--act", "clipped-relu", "--tau", "1", "--against", "m", "--values", "1:2:10001"], "10001"),
        (["phase", "--act", "relu", "--sigma-w", "1:2:1001", "--sigma-b", "0:1:1000", "-f", "csv"], "to 1000000"),
        (["simulate", *SMALL, "--inputs", "1000000"], "allow "),
        ([*HUGE, "--networks", "1000000000000", "--depth", "2"], "more than about 30 days"),
        ([*HUGE, "--networks", "3", "--depth", "100000000000"], "more than about 30 days"),
        (["simulate", *SMALL, "--conv", "3", "--size", "60", "--padding", "zero"], "size <= 46"),
        (["plot", "trajectory", "--act", "relu", "--networks", "1000000000"], "memory = 4 GB is too little"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_is_too_much_is_refused_before_any_of_it_is_done(arguments: list[str], says: str) -> None:
    start = time.process_time()
    assert says in refusal(*arguments)
    assert time.process_time() - start < 2


def test_many_inputs_are_drawn_in_no_time_and_what_takes_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from meanfield.cli import ensembles

    result = run("simulate", "--act", "relu", "--inputs", "1000", "--width", "50", "--depth", "3", "--networks", "1")
    assert (result.exit_code, result.stderr) == (0, "")
    monkeypatch.setattr(ensembles, "LONG", 0.0)
    assert run("simulate", *SMALL).stderr == "meanfield: note: 3 networks of this size take about 0 s here\n"


# In a process of its own: its streams and signals.

COMMAND = [sys.executable, "-m", "meanfield"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def shell(line: str) -> tuple[int, str, str]:
    """The exit code of a line of bash, $M the command in it, and what it prints."""
    line = f"set -o pipefail; M='{' '.join(COMMAND)}'; {line}"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr


CLOSED = "meanfield: cannot write the result: standard output is closed; give it a place with room\n"


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("$M maps --act relu --q 0:4:20000 -f csv | head -1", 0, "activation,q,V,dV,d2V,chi1\n", ""),
        ("$M cite >&-", 2, "", CLOSED),
        # Python writes but once then, and not all of it.
        ("ulimit -f 1; PYTHONUNBUFFERED=1 $M maps --act relu --q 0:4:999 -f csv > $(mktemp)", 2, "", "File too large"),
        ("$M maps --act relu --q 1 -f csv -o /dev/stdout | cat", 0, "activation,q,V,dV,d2V,chi1\nrelu,1.0,1", ""),
    ],
)
def test_streams_may_end_be_closed_full_or_named(line: str, code: int, out: str, err: str) -> None:
    found = shell(line)
    assert found[0] == code
    assert found[1].startswith(out) and (out or not found[1])
    assert err in found[2] and found[2].count("\n") == (1 if err else 0)


#: A program that sends itself a signal as a module is asked for, while the command loads or works.
SIGNALLED = """
import os, signal, sys
name, module, *sys.argv[1:] = sys.argv[1:]
class Sender:
    def find_spec(wanted, *_):
        if wanted == module:
            sys.meta_path.remove(Sender)
            os.kill(os.getpid(), getattr(signal, name))
sys.meta_path.insert(0, Sender)
from meanfield.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("SIGINT", "typer"),
        ("SIGINT", "meanfield.infinite_width.edge"),
        ("SIGTERM", "numpy"),
        ("SIGHUP", "numpy"),
    ],
)
def test_what_asks_a_command_to_end_is_told_in_one_line(name: str, module: str) -> None:
    command = heeding_signals(sys.executable, "-c", SIGNALLED, name, module, "eoc", "--act", "relu")
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "meanfield: interrupted\n")


#: A destructor in which the signal falls, and somebody who saves what is done.
DESTRUCTOR = """
import os, signal, time
from meanfield.cli import process

class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

process.prepare(quiet=True)
try:
    held = Held()
    del held
    time.sleep(30)
except KeyboardInterrupt:
    print("saved")
    raise SystemExit(process.INTERRUPTED)
"""


def test_an_interrupt_in_a_destructor_comes_again() -> None:
    done = subprocess.run(heeding_signals(sys.executable, "-c", DESTRUCTOR), capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (130, "saved\n", "")

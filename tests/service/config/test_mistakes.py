"""SRV-09: what is wrong with a file is told by line and key, all at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from failsoft.service.config import BadConfig, load

from .written import LEAST, mistakes

MANY = """\
[service]
prot = 8000
port = 70_000
keys_file = "absent.json"

[models.primary]
kind = "text"
source = "./absent"
max_batch = 0
device = "gpu"
dtype = "flot16"
wear = { max_requests = 0 }

[models.last]
kind = "txt"

[routes.chat]
models = ["primary", "lst"]
breaker.consecutive_failures = 0
breaker.growth = 0.5
hedge = true
retries = -1

[telemetry]
receivers = [
  { kind = "slack", url = "https://hooks.slack.com/T0/B0/secret" },
  { kind = "webhook", url = "${NOT_SET}" },
  { kind = "pager" },
]
"""


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """SRV-09 In the order of their lines, each by its key, in words."""
    assert mistakes(tmp_path, MANY) == [
        "2: service.prot: is no key here; did you mean port?",
        "3: service.port: must be a whole number of at most 65535; it is 70000",
        "8: models.primary.source: there is no such file or folder: ./absent",
        "9: models.primary.max_batch: must be a whole number of at least 1; it is 0",
        '10: models.primary.device: must be auto, cpu, mps, cuda or cuda:N; it is "gpu"',
        '11: models.primary.dtype: must be "auto" or "float32" or "bfloat16" or "float16"; '
        "did you mean float16?",
        "12: models.primary.wear.max_requests: must be at least 1; it is 0",
        "14: models.last: is in no route; name it in a route's models, or take it out",
        '15: models.last.kind: can\'t be "txt"; did you mean text?',
        '18: routes.chat.models[1]: there is no model "lst"; did you mean "last"?',
        "19: routes.chat.breaker.consecutive_failures: a breaker needs consecutive_failures >= 1, "
        "or false to turn it off",
        "20: routes.chat.breaker.growth: a breaker needs a finite growth >= 1, and longest_open "
        ">= open_seconds",
        "21: routes.chat.hedge: must be a table, not true",
        "26: telemetry.receivers[0].url: a secret doesn't stand in this file; name it: "
        '"${NAME}", of the environment, or "${file:PATH}"',
        "27: telemetry.receivers[1].url: the environment has no NOT_SET, or it is empty",
        '28: telemetry.receivers[2].kind: can\'t be "pager"; did you mean pagerduty?',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["models: is required", "routes: is required"]),
        (LEAST + "service = 1", ["7: routes.chat.service: is no key here"]),
        (
            "models = 1\nroutes = {}",
            ["1: models: must be a table, not 1", "2: routes: must not be"],
        ),
        (LEAST + "[route]", ["7: route: is no key here; did you mean routes?"]),
        (
            LEAST + "[models.other]",
            ["7: models.other.kind: is r", "7: models.other: is in no route"],
        ),
        (LEAST + "aliases = [1]", ["7: routes.chat.aliases[0]: must be a string; it is 1"]),
        (LEAST + 'aliases = ["chat"]', ['7: routes.chat.aliases[0]: "chat" is a route already']),
        (LEAST + "cool_down = true", ["7: routes.chat.cool_down: must be a number; it is true"]),
        (LEAST + "retries = 2030-01-01", ["7: routes.chat.retries: must be a whole number; it"]),
        (
            LEAST + "degradation = { quality = [1, 2] }",
            ["7: routes.chat.degradation.quality: must be a list of length 3; it is a list of 2"],
        ),
        (
            LEAST + '[routes."a/b"]\nmodels = ["primary", "primary"]',
            [
                '7: routes."a/b": a name must not be empty',
                '8: routes."a/b".models[1]: "primary" is',
            ],
        ),
        (
            LEAST + '"a\\u001b[1m" = 1\nretries = "\\u009b"',
            [
                '7: routes.chat."a\\u001b[1m": is no',
                "8: routes.chat.retries: must be a whole number; ",
            ],
        ),
        (
            LEAST + "[routes.telemetry]\nmodels = []",
            [
                "7: routes.telemetry: what listens goes by",
                "8: routes.telemetry.models: must not be",
            ],
        ),
        (
            LEAST + '[telemetry]\nalerts = false\n[[telemetry.receivers]]\nkind = "webhook"\n'
            'url = "http://here/"',
            ["9: telemetry.receivers: get nothing while alerts are off"],
        ),
        (
            LEAST + '[[telemetry.receivers]]\nkind = "webhook"\nurl = "here"\nname = "alerts"',
            [
                "9: telemetry.receivers[0].url: must be like https",
                "10: telemetry.receivers[0].name",
            ],
        ),
        (
            LEAST + '[[telemetry.rules]]\nname = "mine"\nwhen.event = "WorkerHang"',
            ["7: telemetry.rules[0]: rule mine: no event is called 'WorkerHang'"],
        ),
        (
            LEAST + '[models.far]\nkind = "remote"\nbase_url = "http://a/v1"\nmodel = "m"\n'
            'headers = "Bearer sk-1"\napi_key = 1234\n[routes.far]\nmodels = ["far"]',
            [
                "11: models.far.headers: must be a table, not text",
                "12: models.far.api_key: a secret doesn't stand in this file; name it: "
                '"${NAME}", of the environment, or "${file:PATH}"',
            ],
        ),
        (
            LEAST + '[models.paint]\nkind = "image"\nsource = "a/b"\n[routes.both]\n'
            'models = ["primary", "paint"]',
            ["11: routes.both.models: can't stand in for one another: primary makes texts, paint"],
        ),
        (
            LEAST + '[models.far]\nkind = "remote"\nbase_url = "far"\nmodel = "m"\n[routes.far]\n'
            'models = ["far"]',
            ["9: models.far.base_url: must be like http://host:port/v1"],
        ),
        (
            LEAST.replace("\n\n", '\nrun_in = "thread"\nthreads = 2\n\n', 1),
            ["4: models.primary.threads: can't be set with run_in='thread'"],
        ),
        (
            LEAST.replace('"scripted"', '"text"\nsource = "models/of/mine"', 1),
            ["3: models.primary.source: models/of/mine is no hub id; a path begins with ./, "],
        ),
        (
            LEAST.replace('"scripted"', '"text"\nsource = "./\\u001b[2J"', 1),
            ["3: models.primary.source: there is no such file or folder: ./\\x1b[2J"],
        ),
        (
            LEAST.replace('"scripted"', '"text"\nsource = "~no-such-user/a"', 1)
            + '[telemetry]\nflight_folder = "~no-such-user/b"\n'
            '[[telemetry.receivers]]\nkind = "slack"\nurl = "${file:~no-such-user/c}"',
            [
                "3: models.primary.source: the home folder of ~no-such-user/a isn't known",
                "9: telemetry.flight_folder: the home folder of ~no-such-user/b isn't known",
                "12: telemetry.receivers[0].url: the home folder of ~no-such-user/c isn't known",
            ],
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(tmp_path: Path, text: str, said: list[str]) -> None:
    """SRV-09 By the key that is wrong, or the table that lacks it."""
    found = mistakes(tmp_path, text)
    assert [each[: len(words)] for each, words in zip(found, said, strict=True)] == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = 1\nb = \n", "2: is not TOML: invalid value"),
        (b"a = 1\nb = '''\n\n", "2: is not TOML: expected \"'''\""),
        (b"a = 1\na = 2", "2: is not TOML: cannot overwrite a value"),
        (b"# fine\n# \xe4 is Latin-1\n", "2: is not UTF-8; save it as such"),
        (b"a = " + b"[" * 100_000, "is nested too deep, or too long"),
        (b"a = " + b"1" * 10_000, "is nested too deep, or too long"),
        (b"#" * 2_000_000, "has over 1048576 bytes; is it TOML?"),
    ],
)
def test_what_is_no_toml_is_told_by_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    """SRV-09 And nothing else is, since nothing else was read."""
    (found,) = mistakes(tmp_path, content)
    assert found.startswith(said)


def test_a_mark_at_the_beginning_is_no_mistake(tmp_path: Path) -> None:
    """SRV-09 Some editors write one before all else."""
    assert mistakes(tmp_path, b"\xef\xbb\xbf" + LEAST.encode()) == []


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """SRV-09 As the file itself, and as a file that it names: at a reload all would wait for it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said = "can't be read: not a regular file"
    with pytest.raises(BadConfig, match=said):
        load(pipe)
    url = '[[telemetry.receivers]]\nkind = "slack"\nurl = "${file:./pipe}"\n'
    keys = '[service]\nkeys_file = "./pipe"\n'
    (found,) = mistakes(tmp_path, LEAST + url)
    assert found == f"9: telemetry.receivers[0].url: ./pipe {said}"
    (found,) = mistakes(tmp_path, LEAST + keys)
    assert found == f"8: service.keys_file: {said}"


def test_the_command_tells_and_starts_nothing(tmp_path: Path) -> None:
    """SRV-09 Its exit status is 2; a file that isn't there is a mistake, too."""
    (tmp_path / "tree.toml").write_text("[models]\n[routes]\n[servce]\n")
    for command in ("serve", "check"):
        for file, said in (
            ("tree.toml", ["tree.toml:1: models: must not be empty"]),
            ("absent.toml", ["absent.toml: can't be read: No such file or directory"]),
        ):
            done = subprocess.run(
                [sys.executable, "-P", "-m", "failsoft.service", command, file],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 2
            assert done.stderr.splitlines()[:1] == said
            assert "Traceback" not in done.stderr

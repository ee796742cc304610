"""Secrets of every kind are taken out, and little else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.workspace.audit_redaction import SECRETS, TEXT_CHARACTERS_MAX, redacted, redacted_value

# Joined here, so that no scanner of secrets takes this file for a leak.
HEX = "0123456789abcdef" * 4
PEM = "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END " + "OPENSSH PRIVATE KEY-----"

FOUND = {
    "private key": PEM,
    "AWS access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub token": "ghp_" + HEX[:36],
    "GitLab token": "glpat-" + HEX[:20],
    "Slack token": "xoxb-" + "123456789012-abcdef",
    "Anthropic key": "sk-ant-" + "api03-" + HEX[:30],
    "OpenAI key": "sk-proj-" + HEX[:40],
    "Google key": "AIza" + HEX[:35],
    "Stripe key": "sk_live_" + HEX[:24],
    "npm token": "npm_" + HEX[:36],
    "PyPI token": "pypi-" + HEX[:40],
    "Hugging Face token": "hf_" + HEX[:34],
    "JWT": "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ_-x",
}


@pytest.mark.parametrize("kind", FOUND)
def test_a_secret_is_told_by_its_looks(kind: str) -> None:
    secret = FOUND[kind]
    said = f"[redacted {kind}, {len(secret)} characters]"
    assert redacted(secret) == said
    assert redacted(f"see {secret} there") == f"see {said} there"
    assert redacted(f"caf\u00e9\udcff({secret})") == f"caf\u00e9\udcff({said})"


BEHIND_NAMES = {
    "Authorization: Bearer abcdef.1234567": "abcdef.1234567",
    "authorization: Basic dXNlcjpwYXNz": "dXNlcjpwYXNz",
    "curl -H 'Authorization: token 0123abcd'": "0123abcd",
    "Bearer abcdefgh12345": "abcdefgh12345",
    "https://user:hunter2@example.org/x": "hunter2",
    "postgres://:hunter2@db/x": "hunter2",
    "https://hooks.slack.com/services/T0000/B0000/XXXXXXXXXXXX": "T0000/B0000/XXXXXXXXXXXX",
    "password=hunter2": "hunter2",
    "PASSWORD: hunter2, more": "hunter2",
    "db_password = 'two words' # x": "two words",
    '{"client_secret": "a\\"b c", "n": 1}': "b c",
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG": "wJalrXUtnFEMI/K7MDENG",
    "export API_KEY=abc123;": "abc123",
    "--token=abc123 --file x": "abc123",
    "passphrase => 'open sesame'": "open sesame",
    "pwd='never ends": "never ends",
}


@pytest.mark.parametrize("text", BEHIND_NAMES)
def test_a_secret_is_told_by_its_name(text: str) -> None:
    shown = redacted(text)
    assert BEHIND_NAMES[text] not in shown
    assert "[redacted " in shown


def test_what_stands_around_a_secret_stays() -> None:
    assert redacted("a=1&password=x&b=2") == "a=1&password=[redacted named secret, 1 characters]&b=2"
    url = "https://me:[redacted password in URL, 2 characters]@host/p?q"
    assert redacted("https://me:pw@host/p?q") == url
    assert redacted(f"x {PEM[:60]}") == "x [redacted private key, 60 characters]"


INNOCENT = (
    "the password was changed",
    "a token of esteem",
    "Basic usage and bearer bonds",
    "http://example.org:8080/path?x=1",
    "task-sk-1, desk-lamp-with-a-long-name",
    "AKIA is a prefix, ghp_ too",
    "def f(x: int) -> str:",
    "mail me@example.org",
    "lines 3-4",
    "",
)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_every_kind_has_its_test() -> None:
    assert {secret.kind for secret in SECRETS} - FOUND.keys() == {
        "Slack webhook",
        "bearer token",
        "authorization",
        "password in URL",
        "named secret",
    }


def test_members_are_told_by_their_names_however_deep() -> None:
    value = {"headers": [{"Authorization": "x y"}, {"X-Api-Key": "k"}], "db": {"password": ""}, "tokens": 3}
    shown = redacted_value(value)
    assert shown["headers"][0] == {"Authorization": "[redacted named secret, 3 characters]"}
    assert shown["headers"][1] == {"X-Api-Key": "[redacted named secret, 1 characters]"}
    assert (shown["db"], shown["tokens"]) == ({"password": ""}, 3)


def test_values_of_any_shape_come_bounded() -> None:
    deep: list[object] = []
    for _ in range(1000):
        deep = [deep]
    value = {
        "deep": deep,
        "wide": list(range(10**5)),
        "nan": float("nan"),
        "pi": 3.14,
        "set": {1},
        "bytes": b"\xff",
    }
    shown = redacted_value(value)
    assert str(shown["deep"]).count("[") < 10
    assert shown["wide"][-1] == "... 100,000 items in all"
    assert (shown["nan"], shown["pi"], shown["set"], shown["bytes"]) == ("nan", 3.14, "[set]", "\udcff")


def test_a_secret_behind_the_cut_is_not_shown() -> None:
    secret = FOUND["GitHub token"]
    shown = redacted("x" * (TEXT_CHARACTERS_MAX - 10) + " " + secret)
    assert "ghp_" not in shown
    assert shown.endswith(f"[cut: {TEXT_CHARACTERS_MAX - 9 + len(secret):,} characters in all]")


@given(st.text(max_size=300), st.sampled_from(sorted(FOUND)), st.text(max_size=300))
def test_a_secret_is_found_between_any_texts(before: str, kind: str, after: str) -> None:
    secret = FOUND[kind]
    assert secret not in redacted(f"{before} {secret} {after}")


@given(st.text(max_size=2000))
def test_any_text_comes_through(text: str) -> None:
    assert redacted(text) == text or "[redacted " in redacted(text)


HOSTILE = (
    "password=" * 100_000,
    "a" * 10**6,
    '"\\' * 500_000,
    "-----BEGIN PRIVATE KEY-----" * 40_000,
    "x://" * 250_000,
)


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < 2

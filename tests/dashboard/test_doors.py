"""Who may in: the way, the password, the session, and where a form came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.dashboard.passwords import fits, hash_of, is_hash, objection
from runner.dashboard.sessions import FIRST_WAIT, FREE_TRIES, IDLE, LONGEST, Lockout, Sessions
from tests.dashboard.scene import PASSWORD, Scene, scene_of

PAGES = ("/", "/rules", "/rules/tv-eth", "/events", "/orders", "/chart", "/journal", "/system")
CHANGES = ("/do/kill", "/do/pause", "/do/unlock", "/theme", "/logout")


@pytest.mark.parametrize("path", [*PAGES, "/journal/export", "/do/kill", "/runs/x"])
def test_nothing_is_shown_without_a_login(door: Scene, path: str) -> None:
    """Each page leads to the login, which leads back to it."""
    answer = door.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login")
    assert b"BTCUSDT" not in answer.data


def test_the_stream_and_fragments_say_401_without_a_login(door: Scene) -> None:
    """The script sees that the session is over, instead of a login page in place of a part."""
    assert door.get("/stream").status_code == 401
    assert door.get("/", **{"X-Fragment": "1"}).status_code == 401


def test_without_a_password_nothing_is_shown(folder: Path) -> None:
    """Neither a login nor a page: only how to set one. A hash of another kind is none."""
    for kept in (None, "hunter2-in-plain-text"):
        scene = scene_of(folder, kept=kept)
        for path in ("/", "/login", "/events"):
            answer = scene.get(path)
            assert answer.status_code == 403
            assert "runner dashboard password" in answer.text
        assert scene.log_in("hunter2-in-plain-text").status_code == 403


def test_every_answer_is_locked_down(scene: Scene) -> None:
    """Nothing inline, nothing from elsewhere, no frame, no copy in a cache; also for errors."""
    for path in (*PAGES, "/login", "/nowhere"):
        answer = scene.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        for inline in (" style=", " onclick=", "<style", "javascript:", "<script>"):
            assert inline not in answer.text, (path, inline)
        for other in ("http://", "https://", 'src="//'):
            assert f'src="{other}' not in answer.text
            assert f'href="{other}' not in answer.text


def test_a_wrong_password_says_so_and_a_right_one_goes_back(door: Scene) -> None:
    """401, then the page that was wanted; only a path of our own is followed."""
    answer = door.log_in("wrong")
    assert (answer.status_code, "not the password" in answer.text) == (401, True)
    assert door.log_in(next="/events?rule=a").headers["Location"] == "/events?rule=a"
    for away in ("//evil.example", "https://evil.example/", "/\\evil.example", "evil"):
        assert door.log_in(next=away).headers["Location"] == "/"


def test_the_cookie_is_for_this_site_only(door: Scene) -> None:
    """HttpOnly and SameSite=Strict; over plain HTTP with the port in its name, without Secure."""
    cookie = door.log_in().headers["Set-Cookie"]
    assert cookie.startswith("runner-80=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_over_tls_the_cookie_is_bound_to_the_host(door: Scene) -> None:
    """`__Host-` and Secure, when a proxy that is trusted says that the browser spoke TLS."""
    base = {"REMOTE_ADDR": "10.0.0.9"}
    headers = {"X-Forwarded-Proto": "https", "Host": "runner.example.org"}
    answer = door.client.post(
        "/login",
        data={"password": PASSWORD},
        headers={**headers, "Origin": "https://runner.example.org"},
        environ_overrides=base,
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-runner=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize(
    ("peer", "host", "proto"),
    [
        ("127.0.0.1", "runner.example.org", ""),  # a page of another site that points here
        ("192.0.2.7", "localhost", ""),  # not this machine
        ("192.0.2.7", "runner.example.org", "https"),  # nobody trusts this proxy
        ("10.0.0.9", "runner.example.org", ""),  # the proxy took it without TLS
        ("10.0.0.9", "runner.example.org", "http"),
    ],
)
def test_plain_http_from_elsewhere_is_refused(
    door: Scene, peer: str, host: str, proto: str
) -> None:
    """Not even the login is shown where a password could be read on the way."""
    headers = {"Host": host, **({"X-Forwarded-Proto": proto} if proto else {})}
    answer = door.client.get("/login", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.status_code == 403
    assert "ssh -L" in answer.text
    assert 'type="password"' not in answer.text


@pytest.mark.parametrize("host", ["localhost:8081", "127.0.0.1:8081", "[::1]:8081"])
def test_this_machine_is_let_in_under_its_own_names(door: Scene, host: str) -> None:
    """The end of a tunnel is this machine."""
    assert door.client.get("/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://localhost:9"])
@pytest.mark.parametrize("path", [*CHANGES, "/login"])
def test_a_form_of_another_site_changes_nothing(
    scene: Scene, path: str, origin: str | None
) -> None:
    """Without our own Origin a POST is refused, whatever else it carries."""
    token = scene.token()
    answer = scene.send(path, {"token": token, "reason": "x", "password": PASSWORD}, origin)
    assert answer.status_code == 403
    assert scene.desk.given == []


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_form_without_the_sessions_token_changes_nothing(
    scene: Scene, path: str, token: str
) -> None:
    """Not even from our own origin."""
    assert scene.send(path, {"token": token, "reason": "x"}).status_code == 403
    assert scene.desk.given == []
    assert scene.get("/").status_code == 200


def test_five_wrong_passwords_lock_the_address_out(door: Scene) -> None:
    """Then even the right one waits; a minute later it is let in; another address never waits."""
    for _ in range(FREE_TRIES):
        assert door.log_in("wrong").status_code == 401
    answer = door.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) == 61
    other = door.dashboard.app.test_client()
    answer = other.post(
        "/login",
        data={"password": PASSWORD},
        headers={
            "Origin": "https://localhost",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "198.51.100.4",
        },
        environ_overrides={"REMOTE_ADDR": "10.0.0.9"},
    )
    assert answer.status_code == 302
    door.clock[0] += FIRST_WAIT
    assert door.log_in().status_code == 302


def test_each_further_wrong_password_doubles_the_wait() -> None:
    """One minute, two, four, an hour at most; the right one begins anew."""
    clock = [0]
    lockout = Lockout(lambda: clock[0])
    waits = []
    for _ in range(16):
        lockout.failed("a")
        waits.append(lockout.wait("a") // 60_000)
    assert waits[:8] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert waits[-1] == 60
    assert lockout.wait("b") == 0
    lockout.passed("a")
    assert lockout.wait("a") == 0


def test_sessions_end() -> None:
    """After an hour without a look, after twelve in any case, and at the logout."""
    clock = [0]
    sessions = Sessions(lambda: clock[0])
    idle, busy, left = sessions.open(), sessions.open(), sessions.open()
    sessions.close(left)
    assert sessions.find(left) is None
    for _ in range(LONGEST // (IDLE // 2) - 1):
        clock[0] += IDLE // 2
        assert sessions.find(busy) is not None
    assert sessions.find(idle) is None
    clock[0] = LONGEST
    assert sessions.find(busy) is None
    assert sessions.find("never seen") is None


def test_at_most_so_many_sessions_are_open() -> None:
    """The oldest goes first."""
    sessions = Sessions(lambda: 0)
    cookies = [sessions.open() for _ in range(40)]
    assert [sessions.find(cookie) is not None for cookie in cookies] == [False] * 8 + [True] * 32


def test_another_password_ends_every_session(scene: Scene) -> None:
    """Within ten seconds, and the old password opens nothing any more."""
    assert scene.get("/").status_code == 200
    scene.desk.kept = hash_of("another long password")  # dear, as in life
    scene.clock[0] += 10_000
    assert scene.get("/").status_code == 302
    assert scene.log_in().status_code == 401
    assert scene.log_in("another long password").status_code == 302


def test_logging_out_ends_the_session(scene: Scene) -> None:
    """The cookie is worth nothing afterwards, also to who copied it."""
    cookie = scene.client.get_cookie("runner-80", "localhost")
    assert cookie is not None
    assert scene.send("/logout", {"token": scene.token()}).status_code == 302
    scene.client.set_cookie("runner-80", cookie.value)
    assert scene.get("/").status_code == 302


def test_passwords_are_kept_as_argon2id() -> None:
    """Salted; a text that is no hash fits nothing; too short and too long ones are refused."""
    first, second = hash_of(PASSWORD), hash_of(PASSWORD)
    assert first != second
    assert is_hash(first)
    assert fits(first, PASSWORD)
    assert not fits(first, PASSWORD + " ")
    assert not fits("$argon2id$nonsense", PASSWORD)
    assert not fits(first, "x" * 300)
    assert objection(PASSWORD) is None
    assert "at least 12" in (objection("short") or "")
    assert "longer" in (objection("x" * 300) or "")


def test_the_login_page_itself_is_open(door: Scene) -> None:
    """And what it is drawn with; a logged-in reader is sent on."""
    assert door.get("/login").status_code == 200
    for name in ("dashboard.css", "dashboard.js", "mark.svg"):
        with door.get(f"/static/{name}") as answer:
            assert answer.status_code == 200
    door.log_in()
    assert door.get("/login").headers["Location"] == "/"

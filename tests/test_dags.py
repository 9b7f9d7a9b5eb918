"""The DAGs, as Airflow sees them, in a process of their own: Airflow sets up logging, a database and a home when it is
imported, and none of that may reach the other tests or the home of whoever runs them."""

import base64
import email
import faulthandler
import hashlib
import importlib.util
import json
import logging
import os
import runpy
import socketserver
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
import yaml
from pytest_httpserver import HTTPServer

from lightwell.settings import resource
from replicas import by_esp

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("airflow"),
    pytest.mark.skipif(
        importlib.util.find_spec("airflow") is None, reason="Airflow is not installed: lightwell[airflow] brings it"
    ),
]

DAGS = Path(__file__).parents[1] / "dags"
# A new source comes with a new line here.
ROOT = Path(__file__).parents[1]
DECLARED = {f"refresh_{path.stem}" for path in (ROOT / "src/lightwell/sources").glob("*.yml")}  # read without our code
HEAVY = ("duckdb", "great_expectations", "numpy", "pandas", "pdfplumber", "pycountry", "rapidfuzz", "requests")
MAIL_SECRET, CHAT_SECRET = "open-sesame-37", "services/s3cret-path"
SECRETS = (MAIL_SECRET, CHAT_SECRET, base64.b64encode(f"\0lightwell\0{MAIL_SECRET}".encode()).decode())
PATIENCE = 300.0  # seconds for one step
IMPORT = f"""
import runpy, sys, time
sys.path.insert(0, sys.argv[1])
for file in sys.argv[2:]:
    runpy.run_path(file)
print(time.process_time(), *(name for name in {HEAVY} if name in sys.modules))
"""


def environment(home: Path) -> dict[str, str]:
    """Airflow's own settings; nothing is written outside `home`."""
    return {
        "HOME": str(home),
        "AIRFLOW_HOME": str(home / "of_airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
        "NO_PROXY": "*",
        "LIGHTWELL_HOME": str(home / "unused"),
        "LIGHTWELL_SOURCES": "",
        "LIGHTWELL_EDITION": "",
        "LIGHTWELL_OFFLINE": "",
    }


def _set_up(env: dict[str, str]) -> None:
    os.environ.update(env)
    sys.path.insert(0, str(DAGS))  # as Airflow does wherever it runs a DAG of this folder


def _within(env: dict[str, str], function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    faulthandler.dump_traceback_later(PATIENCE, exit=True)  # a run that waits for ever ends, and says where it was
    with patch.dict(os.environ, env):
        try:
            return function(*args)
        except Exception:  # noqa: BLE001 - in words: unpickling one of Airflow's would import it in the other process
            raise RuntimeError(traceback.format_exc()) from None
        finally:
            faulthandler.cancel_dump_traceback_later()


@dataclass
class Airflow:
    """A process that has Airflow, its database and its home to itself."""

    home: Path
    process: ProcessPoolExecutor

    def do(self, function: Callable[..., Any], *args: Any, **env: str) -> Any:
        return self.process.submit(_within, env, function, args).result()


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("home")
    env = environment(home)
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env={**os.environ, **env}, check=True, capture_output=True, timeout=60)
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_set_up, initargs=(env,)) as process:
        yield Airflow(home, process)


# What follows until the next line of dashes is run in Airflow's process.


def _bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS))


def _parse() -> dict[str, Any]:
    """Import errors, and of each DAG what can go wrong without a run."""
    bag = _bag()
    dags = {
        dag.dag_id: {
            "outlets": {t.task_id: [a.name for a in t.outlets] for t in dag.tasks if t.outlets},
            "follows": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks},
            "rules": {t.task_id: str(t.trigger_rule) for t in dag.tasks},
            "mapped": sorted(t.task_id for t in dag.tasks if t.is_mapped),
            "pools": {t.task_id: t.pool for t in dag.tasks},
            "owners": sorted({t.owner for t in dag.tasks}),
            "at_once": [dag.max_active_runs, dag.catchup, dag.is_paused_upon_creation],
            "cron": getattr(dag.timetable, "timetable", dag.timetable).expression,
            "condition": type(dag.timetable.asset_condition).__name__,
            "assets": sorted(a.name for a in getattr(dag.timetable.asset_condition, "objects", ())),
            "deadline": [(a.interval.total_seconds() / 3600, a.callback.path) for a in dag.deadline or ()],
            "tags": sorted(dag.tags),
            "doc": dag.doc_md,
        }
        for dag in bag.dags.values()
    }
    return {"errors": dict(bag.import_errors), "dags": dags}


def _first_runs() -> dict[str, float]:
    """Seconds from now to the first run of each DAG that was never run, were it unpaused now."""
    from datetime import UTC, datetime

    from airflow.serialization.serialized_objects import DagSerialization

    found = {}
    for dag in _bag().dags.values():
        seen_by_scheduler = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        info = seen_by_scheduler.next_dagrun_info(last_automated_run_info=None)
        assert info is not None
        found[dag.dag_id] = (info.run_after - datetime.now(UTC)).total_seconds()
    return found


def _run(dag_id: str) -> dict[str, Any]:
    """One run of a DAG, without a scheduler: the state of each task, and the asset events that the run emitted."""
    from airflow.models.asset import AssetActive, AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    dag = _bag().dags[dag_id]
    with create_session() as session:  # the scheduler activates assets; dag.test() has none (apache/airflow#51644)
        for name in {a.name for t in dag.tasks for a in t.outlets}:
            if session.scalar(select(AssetModel).where(AssetModel.name == name)) is None:
                session.add(AssetModel(name=name, uri=name, group="asset"))
                session.add(AssetActive(name=name, uri=name))
    for one in dag.tasks:
        one.retries = 0  # a retry would be waited for
    dag.deadline = None  # dag.test() looks for it in the database, where only the DAG processor puts it
    run = dag.test()
    with create_session() as session:
        events = session.execute(
            select(AssetModel.name, AssetEvent.extra)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetEvent.source_dag_id == dag_id, AssetEvent.source_run_id == run.run_id)
        ).all()
    states: dict[str, list[str]] = {}
    for one in run.get_task_instances():
        states.setdefault(one.task_id, []).append(str(one.state))
    return {"state": str(run.state), "tasks": states, "events": [tuple(e) for e in events]}


def _after(kind: str) -> str:
    from lightwell import errors
    from lightwell_airflow import RETRY

    error = getattr(errors, kind, None) or getattr(__import__("builtins"), kind)
    return str(RETRY.evaluate(error("met"), try_number=1, max_tries=3).action.value)


def _call(source_id: str, task_id: str, *args: Any) -> str:
    """What a task's function raises, by name and in words: how Airflow goes on after it is Airflow's."""
    from airflow.sdk.exceptions import AirflowSkipException

    from lightwell.errors import LightwellError

    function = _bag().dags[f"refresh_{source_id}"].get_task(task_id).python_callable
    try:
        function(*args)
    except (AirflowSkipException, LightwellError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("the task ended well")


def _tell(connections: dict[str, str]) -> str:
    """Send a notice over connections that Airflow keeps, given as it reads them from the environment."""
    from lightwell_airflow import tell

    with patch.dict(os.environ, {f"AIRFLOW_CONN_{name.upper()}": value for name, value in connections.items()}):
        try:
            tell("FAILED test_esp: 1 refused", "refused: <b>0123</b>")
        except (OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
    return "told"


def _logged(path: str, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function with all that this process says at the lowest level written to a file."""
    handler, root = logging.FileHandler(path), logging.getLogger()
    before, streams = root.level, [os.dup(1), os.dup(2)]
    with open(path, "ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        return function(*args)
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()
        for number, stream in zip((1, 2), streams, strict=True):
            os.dup2(stream, number)
            os.close(stream)


# ----------------------------------------------------------------------------------------------------------------


@dataclass
class Publisher:
    """A by-ESP list on a server of this machine, and the environment in which its source is declared."""

    server: HTTPServer
    path: Path
    content: bytes
    total: int
    env: dict[str, str]

    @property
    def home(self) -> Path:
        return Path(self.env["LIGHTWELL_HOME"])

    def serve(self, content: bytes, **headers: str) -> None:
        self.server.clear()
        self.server.expect_request("/robots.txt").respond_with_data("none", status=404)
        self.server.expect_request("/2022-list.pdf").respond_with_data(content, headers=headers)


@pytest.fixture
def own_server() -> Iterator[HTTPServer]:
    """A server of this test's own: one of the tests stops it, and the others of the session share the ordinary one."""
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


@pytest.fixture
def publisher(tmp_path: Path, own_server: HTTPServer, small_edition: Path) -> Publisher:
    sources = tmp_path / "sources"
    sources.mkdir()
    declaration = yaml.safe_load((resource("sources") / "ncmec_by_esp.yml").read_text(encoding="utf-8"))
    del declaration["discover"]
    url = f"http://127.0.0.1:{own_server.port}/{{year}}-list.pdf"
    declaration |= {"id": "test_esp", "hosts": ["127.0.0.1"]}
    declaration["documents"] = [{"first": 2022, "last": 2022, "urls": [url]}]
    (sources / "test_esp.yml").write_text(yaml.safe_dump(declaration), encoding="utf-8")
    replica = by_esp()
    assert replica.total is not None
    content = replica.write(tmp_path / "list.pdf").read_bytes()
    env = {
        "LIGHTWELL_HOME": str(tmp_path / "home"),
        "LIGHTWELL_SOURCES": str(sources),
        "LIGHTWELL_EDITION": str(small_edition),  # what a release holds besides does not matter here
        "LIGHTWELL_ALLOW_PRIVATE_ADDRESSES": "1",
    }
    made = Publisher(own_server, sources, content, int(replica.total[1].replace(",", "")), env)
    made.serve(content)
    return made


def test_the_dags_are_imported_in_under_five_seconds_and_bring_nothing_heavy(tmp_path: Path) -> None:
    files = sorted(str(DAGS / f"{name}.py") for name in ("refresh", "release", "statements"))
    command = [sys.executable, "-c", IMPORT, str(DAGS), *files]
    seconds = []
    for _ in range(3):  # of the processor, not of the clock: other tests run beside this one
        env = {**os.environ, **environment(tmp_path)}
        run = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=PATIENCE)
        taken, *heavy = run.stdout.split()
        assert heavy == []
        seconds.append(float(taken))
        if min(seconds) < 5:
            break
    assert min(seconds) < 5
    assert [p.name for p in tmp_path.iterdir()] == ["of_airflow"], "something was written outside AIRFLOW_HOME"


def test_there_is_one_dag_a_source_and_one_that_releases_and_one_for_statements(airflow: Airflow) -> None:
    parsed = airflow.do(_parse)
    assert parsed["errors"] == {}
    assert set(parsed["dags"]) == DECLARED | {"release", "statements"}
    assert {"refresh_ncmec_by_country", "refresh_ncmec_by_esp", "refresh_ncmec_ojjdp"} < DECLARED
    runs = {dag_id: dag["at_once"] for dag_id, dag in parsed["dags"].items()}
    assert runs.pop("statements") == [2, False, True]
    assert all(at_once == [1, False, True] for at_once in runs.values())
    one = parsed["dags"]["refresh_ncmec_by_esp"]
    assert one["outlets"] == {"announce": ["lightwell/ncmec_by_esp"]}
    assert one["follows"] == {
        "discover": [],
        "fetch": ["discover"],
        "compare": ["fetch"],
        "read_and_check": ["compare"],
        "announce": ["compare", "read_and_check"],
        "summarise": ["announce"],
    }
    assert one["mapped"] == ["fetch", "read_and_check"]
    assert one["tags"] == ["annual", "ncmec"]
    assert one["owners"] == ["lightwell"]
    assert one["deadline"] == [(6.0, "lightwell_airflow.tell_late")]
    assert "https://www.missingkids.org/gethelpnow/cybertipline/cybertiplinedata" in one["doc"]
    assert "Reports that each electronic service provider" in one["doc"]
    assert not (airflow.home / "unused").exists(), "parsing wrote to the data home"
    assert not (airflow.home / "airflow").exists(), "AIRFLOW_HOME was not heeded"


def test_a_source_that_nothing_can_be_fetched_for_announces_what_is_added_by_hand(airflow: Airflow) -> None:
    dag = airflow.do(_parse)["dags"]["refresh_ncmec_transcribed"]
    assert dag["follows"] == {
        "compare": [],
        "read_and_check": ["compare"],
        "announce": ["compare", "read_and_check"],
        "summarise": ["announce"],
    }


def test_the_release_follows_any_source_and_is_built_audited_published_exported(airflow: Airflow) -> None:
    dags = airflow.do(_parse)["dags"]
    release = dags.pop("release")
    del dags["statements"]
    assert release["assets"] == sorted(name for dag in dags.values() for name in dag["outlets"]["announce"])
    assert release["condition"] == "AssetAny", "one source with news is enough"
    assert release["cron"] == "30 5 * * *"
    assert release["outlets"] == {"publish": ["lightwell/release"]}
    assert release["follows"] == {
        "build": [],
        "audit": ["build"],
        "publish": ["audit"],
        "export": ["publish"],
        "summarise": ["export"],
    }
    assert set(release["pools"].values()) == {"default_pool"}, "a pool that nobody made hangs the task"
    named = airflow.do(_parse, LIGHTWELL_WAREHOUSE_POOL="warehouse", LIGHTWELL_FETCH_POOL="web")["dags"]
    assert set(named["release"]["pools"].values()) == {"warehouse"}
    assert {task for task, pool in named["refresh_ncmec_by_esp"]["pools"].items() if pool == "web"} == {"fetch"}


def test_unpaused_for_the_first_time_no_dag_runs_before_its_time(airflow: Airflow) -> None:
    first = airflow.do(_first_runs)
    assert set(first) == DECLARED | {"release", "statements"}
    assert min(first.values()) > 0, "a deployment that is begun would ask every publisher at once"
    assert max(first.values()) <= 7 * 86400


def test_the_time_of_a_source_may_not_move_by_itself(airflow: Airflow) -> None:
    assert airflow.do(_parse)["dags"]["refresh_ncmec_by_esp"]["cron"] == "53 17 * * 6"


def test_a_declaration_may_say_when_whose_and_by_when(airflow: Airflow, publisher: Publisher) -> None:
    path = publisher.path / "test_esp.yml"
    declaration = yaml.safe_load(path.read_text(encoding="utf-8"))
    declaration |= {"owner": "statistics desk", "schedule": "7 6 1 * *", "done_within_hours": 1.5}
    path.write_text(yaml.safe_dump(declaration), encoding="utf-8")
    dag = airflow.do(_parse, **publisher.env)["dags"]["refresh_test_esp"]
    assert (dag["owners"], dag["cron"]) == (["statistics desk"], "7 6 1 * *")
    assert dag["deadline"] == [(1.5, "lightwell_airflow.tell_late")]


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("ArchiveError", "retry"),
        ("OSError", "retry"),
        ("ConnectionError", "retry"),
        ("DeclarationError", "fail"),
        ("FetchError", "fail"),
        ("LayoutError", "fail"),
        ("BuildError", "fail"),
        ("DumpError", "fail"),
        ("KeyError", "fail"),
    ],
)
def test_only_what_may_pass_is_tried_again(airflow: Airflow, kind: str, action: str) -> None:
    assert airflow.do(_after, kind) == action


def test_a_bad_declaration_fails_by_itself_and_leaves_the_others_alone(airflow: Airflow, tmp_path: Path) -> None:
    (tmp_path / "colour_chart.yml").write_text("id: colour_chart\ncolour: blue\n", encoding="utf-8")
    (tmp_path / "two words.yml").write_text("{", encoding="utf-8")
    (tmp_path / "latin.yml").write_bytes(b"title: caf\xe9\n")
    parsed = airflow.do(_parse, LIGHTWELL_SOURCES=str(tmp_path))
    assert parsed["errors"] == {}
    bad = {"refresh_colour_chart", "refresh_two_words", "refresh_latin"}
    assert set(parsed["dags"]) == DECLARED | {"release", "statements"} | bad
    assert all(parsed["dags"][dag_id]["tags"] == ["invalid declaration"] for dag_id in bad)
    assert "colour_chart.yml: title: Field required" in parsed["dags"]["refresh_colour_chart"]["doc"]
    said = airflow.do(_call, "colour_chart", "compare", LIGHTWELL_SOURCES=str(tmp_path))
    assert said == "DeclarationError: colour_chart.yml: title: Field required"
    run = airflow.do(_run, "refresh_colour_chart", LIGHTWELL_SOURCES=str(tmp_path))
    assert run["state"] == "failed"
    assert run["events"] == []
    assert run["tasks"]["discover"] == run["tasks"]["compare"] == run["tasks"]["summarise"] == ["failed"]


def all_of(state: str, *task_ids: str) -> dict[str, list[str]]:
    """One instance of each of these tasks, in this state."""
    return {task_id: [state] for task_id in task_ids}


def test_a_document_is_fetched_released_and_exported_once(airflow: Airflow, publisher: Publisher) -> None:
    def run(dag_id: str) -> Any:
        return airflow.do(_run, dag_id, **publisher.env)

    document_id = hashlib.sha256(publisher.content).hexdigest()
    fetched = run("refresh_test_esp")
    assert fetched["tasks"] == all_of(
        "success", "discover", "fetch", "compare", "read_and_check", "announce", "summarise"
    )
    news = {"documents": [document_id], "periods": ["2022"], "refused": []}
    assert fetched["events"] == [("lightwell/test_esp", news)]

    released = run("release")
    assert released["tasks"] == all_of("success", "build", "audit", "publish", "export", "summarise")
    release_id = (publisher.home / "lightwell.duckdb").resolve().parent.name
    assert released["events"] == [("lightwell/release", {"release_id": release_id})]
    with duckdb.connect(str(publisher.home / "lightwell.duckdb"), read_only=True) as con:
        summed = con.execute(
            "SELECT sum(obs_value) FROM observation "
            "WHERE source_id = 'test_esp' AND time_period = '2022' AND NOT is_total"
        )
        assert summed.fetchall() == [(publisher.total,)]
    assert list((publisher.home / "exports").glob("*.csv"))

    nothing = run("refresh_test_esp")
    quiet = {"compare": ["skipped"], "read_and_check": ["skipped"], "announce": ["skipped"]}
    asked = {"discover": ["success"], "fetch": ["success"], "summarise": ["success"]}
    assert nothing == {"state": "success", "tasks": {**asked, **quiet}, "events": []}
    again = run("release")
    skipped = all_of("skipped", "build", "audit", "publish", "export")
    assert again == {"state": "success", "tasks": {**skipped, "summarise": ["success"]}, "events": []}
    assert [p.name for p in (publisher.home / "releases").glob("[!.]*")] == [release_id]


def test_a_publisher_that_gives_nothing_at_all_fails_the_task(airflow: Airflow, publisher: Publisher) -> None:
    addresses = [f"http://127.0.0.1:{publisher.server.port}/2022-list.pdf"]
    publisher.serve(b"<!DOCTYPE html><html><body>Just a moment...</body></html>")
    said = airflow.do(_call, "test_esp", "fetch", addresses, **publisher.env)
    assert said.startswith("FetchError: test_esp: the bytes are HTML, where application/pdf was due")
    missing = [f"http://127.0.0.1:{publisher.server.port}/2031-list.pdf"]
    publisher.server.expect_request("/2031-list.pdf").respond_with_data("none", status=404)
    said = airflow.do(_call, "test_esp", "fetch", missing, **publisher.env)
    assert said.startswith("AirflowSkipException: test_esp: HTTP 404: nothing at this address: not published yet")
    publisher.server.stop()
    said = airflow.do(_call, "test_esp", "fetch", addresses, **publisher.env)
    assert said.startswith("ConnectionError: test_esp: 127.0.0.1:")


def connections(mail: int, chat: int) -> dict[str, str]:
    """A mail server and a webhook of this machine, by their ports, as Airflow reads connections; with secrets."""
    plain = {"disable_tls": True, "disable_ssl": True}
    extra = {"to": "desk@example.org", "from_email": "lightwell@example.org", **plain}
    of_mail = {"conn_type": "smtp", "host": "127.0.0.1", "port": mail, "login": "lightwell", "password": MAIL_SECRET}
    of_chat = {"conn_type": "http", "host": "127.0.0.1", "port": chat, "schema": "http", "password": CHAT_SECRET}
    return {"ops_mail": json.dumps({**of_mail, "extra": extra}), "ops_chat": json.dumps(of_chat)}


def test_a_notice_is_mailed_and_posted_with_secrets_from_connections(
    airflow: Airflow, own_server: HTTPServer, tmp_path: Path
) -> None:
    own_server.expect_request(f"/{CHAT_SECRET}", method="POST").respond_with_data("ok")
    with Mailbox() as mailbox:
        known, logs = connections(mailbox.port, own_server.port), tmp_path / "log"
        said = airflow.do(_logged, str(logs), _tell, known, LIGHTWELL_NOTIFY="ops_mail, ops_chat")
        assert said == "told"
        assert mailbox.logins == [f"\0lightwell\0{MAIL_SECRET}"]
        (letter,) = mailbox.letters
        assert "desk@example.org" in letter
        assert "Subject: Lightwell: FAILED test_esp: 1 refused" in letter
        (part,) = email.message_from_string(letter).get_payload()
        assert b"refused: &lt;b&gt;0123" in part.get_payload(decode=True), "a notice is text, not HTML"
        (request, _), *_ = own_server.log
        assert request.get_json()["text"] == "FAILED test_esp: 1 refused\nrefused: <b>0123</b>"
        mailbox.answer_to_login = "535 no"
        refused = airflow.do(_logged, str(logs), _tell, known, LIGHTWELL_NOTIFY="ops_mail, ops_chat")
        assert refused.startswith("SMTPAuthenticationError")
        assert len(own_server.log) == 2, "a mail server that refuses keeps no other from being told"
    own_server.stop()
    unsent = airflow.do(_logged, str(logs), _tell, known, LIGHTWELL_NOTIFY="ops_chat")
    assert unsent.startswith("ConnectionError: the webhook at 127.0.0.1 did not take the notice")
    written = logs.read_text(encoding="utf-8", errors="replace") + refused + unsent
    assert written.count("FAILED test_esp: 1 refused") >= 3, "this is what was logged"
    assert not [secret for secret in SECRETS if secret in written]


class Mailbox:
    """A mail server that wants a login, and keeps what it was sent."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.logins: list[str] = []
        self.answer_to_login = "235 come in"

    def __enter__(self) -> "Mailbox":
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), lambda *of: _Postman(self, *of))
        self._server.block_on_close = False  # who is refused does not hang up
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Postman(socketserver.StreamRequestHandler):
    """One connection to the mail server."""

    def __init__(self, mailbox: Mailbox, *of: Any) -> None:
        self.mailbox = mailbox
        super().__init__(*of)

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode():
            word = line[:4].upper().strip()
            if word == "EHLO":
                self._say("250-hello")
                self._say("250 AUTH PLAIN")
            elif word == "AUTH":
                self.mailbox.logins.append(base64.b64decode(line.split()[2]).decode())
                self._say(self.mailbox.answer_to_login)
            elif word == "DATA":
                self._say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                self.mailbox.letters.append("".join(lines))
                self._say("250 ok")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def test_the_picture_of_the_dags_is_the_one_that_they_make() -> None:
    draw = runpy.run_path(str(ROOT / "deploy" / "local" / "draw.py"))
    drawn = draw["draw"](draw["forms"](draw["read"]()))
    shown = (ROOT / "docs" / "dags.svg").read_text(encoding="utf-8")
    assert shown == drawn, "the DAGs have changed: run `make pictures`"
    assert drawn.count('class="dag"') == 4

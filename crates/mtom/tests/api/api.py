"""The whole HTTP API as its own document describes it: the real `mtom up` with its simulated devices, asked by schemathesis.

    python3 api.py MTOM REPORT

First with one answer falsified on its way, which must be found; then as it is, where nothing may be. REPORT is
where the results go, as JUnit. Ends with 1 at the first that is not as it must be. Needs schemathesis.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
ST = pathlib.Path(sys.executable).with_name("st")
DOCUMENT = "/api/v1/openapi.json"
FALSIFIED = "/api/v1/audit"
SECTIONS = ["broker", "live", "history", "forward.tcp", "dashboard"]
LIMIT = 60  # seconds in which the gateway starts, and in which it stops
# What Python itself says, before 3.11.8 and 3.12.2, when two threads read sources at once (CPython issue 106905). It is
# no finding, and what was found beside it is found again.
PYTHON_FAULT = "AST constructor recursion depth mismatch"
TRIES = 3


class Wrong(Exception):
    """Something that is not as it must be."""


@contextlib.contextmanager
def gateway(binary, folder):
    """`mtom up` on free ports; gives the address of its API."""
    ready = folder / "ready.json"
    sets = [f"data.dir={folder / 'data'}"] + [f"{name}.listen=127.0.0.1:0" for name in SECTIONS]
    arguments = [word for one in sets for word in ("--set", one)]
    process = subprocess.Popen(
        [binary, "up", "--ready-file", str(ready), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    started = threading.Event()

    def listen():
        for line in process.stdout:
            said.append(line)
            # What it says once everything listens, after the file.
            if " is up" in line:
                started.set()
        started.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        if not started.wait(LIMIT) or not ready.exists():
            raise Wrong("the gateway did not start:\n" + "".join(said))
        yield json.loads(ready.read_text())["dashboard"]
    finally:
        process.terminate()
        process.wait(LIMIT)
    if process.returncode != 0:
        raise Wrong(f"the gateway ended with {process.returncode}:\n" + "".join(said))


@contextlib.contextmanager
def falsifier(address):
    """Hands questions on and answers back, but leaves a member out of one answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            there = http.client.HTTPConnection(address)
            there.request("GET", self.path, headers={"Host": address})
            answer = there.getresponse()
            body = answer.read()
            if self.path.startswith(FALSIFIED) and answer.status == 200:
                whole = json.loads(body)
                whole.pop("in_flight")
                body = json.dumps(whole).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "{}:{}".format(*server.server_address)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(folder, address, *options):
    """What schemathesis found: how it ended and what it said. It writes where it stands, so it stands in `folder`."""
    config = str(HERE / "schemathesis.toml")
    command = [str(ST), "--config-file", config, "run", f"http://{address}{DOCUMENT}", *options]
    hooks = {"SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | hooks | {"COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ended.returncode, ended.stdout


def main(binary, report):
    with tempfile.TemporaryDirectory() as folder, gateway(binary, pathlib.Path(folder)) as address:
        with falsifier(address) as false:
            only = ["--include-path", FALSIFIED, "--checks", "response_schema_conformance"]
            code, said = ask(folder, false, *only)
        if code != 1 or "in_flight" not in said:
            raise Wrong(f"an answer that breaks its schema was not found:\n{said}")
        print("ok: an answer that lacks what its schema requires is found", flush=True)
        for again in range(TRIES - 1, -1, -1):
            code, said = ask(folder, address, "--report", "junit", "--report-junit-path", report)
            print(said, flush=True)
            if PYTHON_FAULT not in said or not again:
                break
            print("Python failed, which says nothing of the API: once more", flush=True)
        if code != 0:
            raise Wrong(f"schemathesis ended with {code}")
    print("ok: the API answers as it is described")


if __name__ == "__main__":
    try:
        main(str(pathlib.Path(sys.argv[1]).resolve()), str(pathlib.Path(sys.argv[2]).resolve()))
    except Wrong as wrong:
        sys.exit(f"FAILED: {wrong}")

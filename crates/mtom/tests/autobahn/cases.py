# -*- coding: utf-8 -*-
"""The WebSocket ports of the real `mtom up` before Autobahn|Testsuite, all cases but those of compression.

    python2.7 cases.py MTOM REPORT [PATTERN…]

The suite knows servers that send back what they get. Ours answer in words of their own, so what a case expects is
put into those words first (`Port`): the same frames, the same order, the same way to close. A message over a port's
limit is expected to be closed with 1009. What a port says by itself, such as readings, is passed over.

First a server without an answer is tried, which must fail. REPORT is a folder: results.json, and what was printed.
PATTERN chooses cases, as in `6.*`. Ends with 1 when one case of one port has failed. Written for Python 2.7, the only
one that the suite runs on.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahntestsuite import fuzzing
from autobahntestsuite.case import Case, Cases
from autobahntestsuite.fuzzing import FuzzingClientFactory, FuzzingClientProtocol
from twisted.internet import reactor

SECTIONS = ["broker", "live", "history", "forward.tcp", "dashboard"]
LIMIT = 60  # seconds in which the gateway starts, and in which it stops
CASE_LIMIT = 30  # seconds without the end of any case
PATIENCE = 5
COMPRESSION = ["12.*", "13.*"]
GOOD = {Case.OK, Case.NON_STRICT, Case.INFORMATIONAL}
GOOD_CLOSE = {Case.OK, Case.INFORMATIONAL}
# Of a server that answers nothing and takes everything, at least these must fail.
PLANTED = ["1.1.2", "2.2", "5.3", "6.3.1"]
POLICY, TOO_LONG = 1008, 1009


class Wrong(Exception):
    """Something that is not as it must be."""


class Port(object):
    """One WebSocket port: how it answers, and what it says unasked."""

    length_max = 4096

    def __init__(self, name, url, first=None):
        self.name, self.url, self.first = name, url, first

    def is_unasked(self, _text):
        return False

    def answer(self, payload, binary):
        raise NotImplementedError

    def adapt(self, expected, close):
        """What the case expects of a server that says everything back, as it is expected here."""
        messages = [one for way in expected.values() for one in way if one[0] == "message"]
        if any(len(one[1]) > self.length_max for one in messages):
            return {Case.OK: []}, closed_with(TOO_LONG)
        said = lambda one: ("message", self.answer(one[1], one[2]), False) if one[0] == "message" else one
        return {way: [said(one) for one in ones] for way, ones in expected.items()}, close


class Original(Port):
    """8765 or 8768: what is no request is answered with a sentence, and the connection stays."""

    def __init__(self, name, url, unknown, first=None):
        super(Original, self).__init__(name, url, first)
        self.unknown = unknown

    def answer(self, payload, binary):
        sentence = "binary frame: expected a text frame" if binary else self.unknown
        return '{"state":"Error","type":"error","response":"%s"}' % sentence

    def is_unasked(self, text):
        return text.startswith('{"state":"OK","type":"new_data",')


class Page(Port):
    """`/live` of the page: a snapshot and changes; who says anything is closed with 1008."""

    length_max = 16 * 1024

    def is_unasked(self, text):
        return text.startswith('{"type":"')

    def adapt(self, expected, close):
        expected, close = super(Page, self).adapt(expected, close)
        if any(one[0] == "message" for way in expected.values() for one in way):
            # The suite's own lenient ways are of servers that fail sooner than they must.
            strict = expected[Case.OK]
            before = [one[0] for one in strict].index("message") if any(o[0] == "message" for o in strict) else 0
            return {Case.OK: strict[:before]}, closed_with(POLICY, *close["closeCode"])
        return expected, close

    def answer(self, payload, binary):
        return ""


def closed_with(*codes):
    return {"closedByMe": False, "closeCode": list(codes), "requireClean": False}


class Silent(WebSocketServerProtocol):
    """Answers nothing and takes everything: most cases must fail before it."""

    def onMessage(self, payload, isBinary):
        pass

    def onPing(self, payload):
        pass


class Tester(FuzzingClientProtocol):
    """One case, before one port."""

    def onOpen(self):
        port = self.factory.tried
        if port.first:
            self.sendFrame(opcode=1, payload=port.first)
            # The case counts what it sends itself.
            self.txFrameStats = {}
        FuzzingClientProtocol.onOpen(self)
        case = self.runCase
        # Cases about how fast it goes compare by themselves what comes back, and only its length.
        length = getattr(case, "LEN", getattr(case, "DATALEN", None))
        expected = case.expected
        if length is not None and not expected:
            expected = {Case.OK: [("message", "*" * length, getattr(case, "BINARY", False))]}
        adapted = port.adapt(expected, case.expectedClose)
        if case.expected or not adapted[0][Case.OK]:
            case.expected, case.expectedClose = adapted

    def killAfter(self, delay):
        # Patience of a second is too little where other programs take the processor for longer.
        FuzzingClientProtocol.killAfter(self, delay * PATIENCE)

    def onMessage(self, text, binary):
        port, case = self.factory.tried, self.runCase
        if not binary and port.is_unasked(text):
            return
        if not case.expected and not binary and text == port.answer("", case.BINARY):
            text, binary = "*" * case.LEN, case.BINARY
        FuzzingClientProtocol.onMessage(self, text, binary)


class Run(FuzzingClientFactory):
    """The cases before one port, one after the other; `done` hears of the end."""

    def __init__(self, port, cases, done):
        self.tried, self.done, self.ended_at = port, done, time.time()
        spec = {"servers": [{"agent": port.name, "url": port.url}], "cases": cases, "exclude-cases": COMPRESSION}
        self.results = []
        FuzzingClientFactory.__init__(self, spec)

    def buildProtocol(self, addr):
        tester = Tester()
        tester.factory, tester.caseAgent, tester.case = self, self.agent, self.currentCaseIndex
        tester.Case = Cases[self.currentCaseIndex - 1]
        tester.runCase = tester.Case(tester)
        return tester

    def logCase(self, result):
        self.ended_at = time.time()
        self.results.append(result)

    def clientConnectionLost(self, connector, reason):
        if self.nextCase():
            connector.connect()
        else:
            self.done(self)

    def clientConnectionFailed(self, connector, reason):
        self.done(self)


def failed(result):
    expected = result["expectedClose"]
    # The suite itself takes a connection that is dropped without a word, also where the server has to say why.
    is_mute = not expected["closedByMe"] and expected["closeCode"] and result["remoteCloseCode"] is None
    return result["behavior"] not in GOOD or result["behaviorClose"] not in GOOD_CLOSE or bool(is_mute)


def run(ports, cases):
    """The results of each port, all ports side by side."""
    runs, left = [], []

    def done(one):
        left.remove(one)
        if not left:
            reactor.crash()

    def watch():
        if left and all(time.time() - one.ended_at > CASE_LIMIT for one in left):
            reactor.crash()
        elif left:
            reactor.callLater(1, watch)

    def begin():
        for port in ports:
            one = Run(port, cases, done)
            runs.append(one)
            left.append(one)
        watch()

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    stuck = ["%s in case %s" % (one.tried.name, one.currentCaseId) for one in left]
    if stuck:
        raise Wrong("no end: " + ", ".join(stuck))
    broken = ["%s after %d of %d cases" % (one.tried.name, len(one.results), len(one.specCases))
              for one in runs if len(one.results) != len(one.specCases)]
    if broken:
        raise Wrong("broken off: " + ", ".join(broken))
    return {one.tried.name: one.results for one in runs}


def check_that_faults_are_seen():
    factory = WebSocketServerFactory("ws://127.0.0.1:0")
    factory.protocol = Silent
    factory.setProtocolOptions(utf8validateIncoming=False)
    listener = reactor.listenTCP(0, factory, interface="127.0.0.1")
    url = "ws://127.0.0.1:%d/" % listener.getHost().port
    results = run([Original("silent", url, "")], PLANTED)["silent"]
    listener.stopListening()
    passed = [one["id"] for one in results if not failed(one)]
    if passed or len(results) != len(PLANTED):
        raise Wrong("a server that says nothing has passed %s of %d" % (passed, len(results)))


class Gateway(object):
    """`mtom up` on free ports, with a sensor that speaks often."""

    def __init__(self, binary):
        self.folder = tempfile.mkdtemp(prefix="mtom-autobahn-")
        self.ready = os.path.join(self.folder, "ready.json")
        sets = ["data.dir=" + os.path.join(self.folder, "data"), "simulate.period=200ms"]
        sets += ["%s.listen=127.0.0.1:0" % name for name in SECTIONS]
        arguments = [word for one in sets for word in ("--set", one)]
        self.log = os.path.join(self.folder, "log")
        command = [os.path.abspath(binary), "up", "--ready-file", self.ready] + arguments
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def __enter__(self):
        until = time.time() + LIMIT
        while not os.path.exists(self.ready):
            if self.process.poll() is not None or time.time() > until:
                self.kill()
                raise Wrong("the gateway did not start:\n" + open(self.log).read())
            time.sleep(0.05)
        return json.load(open(self.ready))

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        until = time.time() + LIMIT
        while self.process.poll() is None and time.time() < until:
            time.sleep(0.05)
        self.kill()
        if self.process.returncode != 0:
            raise Wrong("the gateway ended with %s:\n%s" % (self.process.returncode, open(self.log).read()))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def ports(ready):
    live, history, page = ready["live"], ready["history"], ready["dashboard"]
    live_words = "unknown request: expected hello, realtime or replay:<from>:<to>:<speed>"
    history_words = "unknown request: expected hello or database:N"
    return [
        Original("live", "ws://%s/" % live, live_words),
        Original("live, among readings", "ws://%s/" % live, live_words, first="realtime"),
        Original("history", "ws://%s/" % history, history_words),
        Page("/live", "ws://%s/live" % page),
    ]


def say(out, results):
    """One line for each port; how many cases have failed."""
    count = 0
    for name in sorted(results):
        ways = {}
        for one in results[name]:
            way = one["behavior"] if not failed(one) else "FAILED"
            ways[way] = ways.get(way, 0) + 1
        said = ", ".join("%d %s" % (number, way) for way, number in sorted(ways.items()))
        out.write("%-22s %d cases: %s\n" % (name, len(results[name]), said))
        for one in filter(failed, results[name]):
            count += 1
            what = (one["id"], one["behavior"], one["behaviorClose"], one["result"], one["resultClose"])
            out.write("    %s: %s, close %s: %s %s\n" % what)
            out.write("        expected %.300s, got %.300s, closed with %s\n"
                      % (one["expected"], one["received"], one["remoteCloseCode"]))
    return count


def main(binary, report, *cases):
    if not os.path.isdir(report):
        os.makedirs(report)
    out, begun = sys.stdout, time.time()
    with open(os.path.join(report, "log"), "w") as sys.stdout:
        check_that_faults_are_seen()
        with Gateway(binary) as ready:
            results = run(ports(ready), list(cases) or ["*"])
    sys.stdout = out
    with open(os.path.join(report, "results.json"), "w") as file:
        json.dump(results, file, indent=1, default=repr)
    count = say(out, results)
    out.write("%d failed, %.0f s\n" % (count, time.time() - begun))
    return 1 if count or not all(results.values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Wrong as wrong:
        sys.stderr.write("autobahn: %s\n" % wrong)
        sys.exit(1)

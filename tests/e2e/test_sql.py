# SPDX-License-Identifier: GPL-2.0-or-later
"""SQL statements of real servers: each once, in order, with who asked and what came of it."""
import ctypes
import glob
import json
import os
import re
import shutil
import socket
import struct
import subprocess

import lab

PROBE = "select 'ecapture-probe'"


class Server(lab.Lab):
    """A database server in the test's namespace: a subclass has `module`, `field`, start_server(), client(), ask()."""

    def wait_for_statement(self, seen, what="the first statement"):
        def asked():
            self.ask(PROBE)
            return seen()

        lab.wait_until(asked, lab.READY_SECONDS, what)

    def start_capture(self, path, module=None):
        """`ecapture MODULE -w PATH`; returns when its file is there."""
        process = self.ns.start(lab.BINARY, module or self.module, "-w", path, stderr=subprocess.PIPE, text=True)

        def opened():
            self.assertIsNone(process.poll(), "ecapture has ended")
            return os.path.exists(path)

        lab.wait_until(opened, lab.READY_SECONDS, "the capture's file")
        return process

    def start_live(self):
        """One pass of tshark while it happens; returns when it shows statements."""
        tshark = self.start_tshark(interface=f"ecapture-{self.module}", display=self.field,
                                   fields=(self.field, "frame.comment"), probe=None)
        self.wait_for_statement(tshark.table, f"the first statement: {tshark.messages()}")
        return tshark

    def statements(self, path):
        """(text, comment) of each that is no probe."""
        rows = self.decrypt(path, self.field, self.field, "frame.comment")
        return [(text, comment) for text, comment in rows if text != PROBE]

    def ask_many(self, command):
        """32 clients at once, 25 statements each."""
        clients = []
        for number in range(32):
            with open(self.path(f"{number}.sql"), "w", encoding="utf-8") as file:
                file.writelines(f"select {number}, {i};\n" for i in range(25))
            clients.append(self.ns.start(*command(self.path(f"{number}.sql")), stdout=subprocess.DEVNULL))
        for client in clients:
            self.assertEqual(client.wait(lab.PATIENCE), 0)

    def capture_server_that_starts_later(self):
        """The comment of its first statement, in a capture of every module."""
        path = self.path("x.pcapng")
        capture = self.start_capture(path, "all")
        self.start_server()
        self.wait_for_statement(lambda: lab.file_holds(path, b"ecapture-probe"))
        self.assertEqual(lab.stop(capture)[0], 0)
        return self.decrypt(path, self.field, "frame.comment")[-1][0]


def postgres_programs():
    """The directory of the newest PostgreSQL server that is installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    if not found and not shutil.which("postgres"):
        raise lab.unittest.SkipTest("PostgreSQL's server is not installed")
    return os.path.dirname(found[-1] if found else shutil.which("postgres"))


class Postgres(Server):
    module, field = "postgres", "pgsql.query"

    def setUp(self):
        super().setUp()
        lab.need("psql", "runuser")
        self.programs = postgres_programs()
        os.chmod(self.tmp, 0o755)
        os.mkdir(self.path("pg"))
        shutil.chown(self.path("pg"), "postgres")
        self.as_postgres("initdb", "-N", "-A", "trust", "-D", self.path("pg/data"))

    def as_postgres(self, program, *arguments):
        run = self.ns.run("runuser", "-u", "postgres", "--", os.path.join(self.programs, program), *arguments,
                          check=False, cwd="/")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def start_server(self):
        control = ("-w", "-t", str(lab.PATIENCE), "-D", self.path("pg/data"), "-l", self.path("pg/log"))
        self.as_postgres("pg_ctl", *control, "-o", f"-k {self.path('pg')} -p 5432 -c fsync=off", "start")
        self.defer(self.as_postgres, "pg_ctl", *control, "-m", "immediate", "stop")

    def client(self, *arguments):
        return ["psql", "-q", "-A", "-t", "-h", self.path("pg"), "-U", "postgres", *arguments, "postgres"]

    def ask(self, *statements):
        commands = [word for statement in statements for word in ("-c", statement)]
        return self.ns.run(*self.client(*commands), check=False)

    def test_statements_live(self):
        """One pass of tshark while it happens: rows, errors, several statements in one, a text of many pieces, and a
        server that ran before the capture."""
        long_text = "select '" + "x" * 100000 + "'"
        self.start_server()
        tshark = self.start_live()
        self.ask("create table t (a int)", "insert into t values (1), (2), (3)", "select nonsense", "select 1; select 2",
                  "select a from t", long_text)
        lab.wait_until(lambda: any(row["pgsql.query"] == long_text for row in tshark.table()), lab.READY_SECONDS,
                       "the last statement")
        tshark.stop()
        rows = [(row["pgsql.query"], row["frame.comment"]) for row in tshark.table() if row["pgsql.query"] != PROBE]
        self.assertEqual([text for text, _ in rows], ["create table t (a int)", "insert into t values (1), (2), (3)",
                                                      "select nonsense", "select 1; select 2", "select a from t", long_text])
        expected = ("rows=0", "rows=3", 'error=42703 column "nonsense" does not exist', "rows=2", "rows=3", "rows=1")
        for (_, comment), outcome in zip(rows, expected):
            self.assertRegex(comment, r"^pid=\d+ tid=\d+ comm=postgres uid=\d+ user=postgres db=postgres duration=\d\.\d{6} "
                             + re.escape(outcome) + "$")

    def test_many_connections(self):
        """32 at once, 25 statements each: every one there once, and in order on its connection."""
        self.start_server()
        capture = self.start_capture(self.path("x.pcapng"))
        self.wait_for_statement(lambda: lab.file_holds(self.path("x.pcapng"), b"ecapture-probe"))
        self.ask_many(lambda path: self.client("-f", path))
        self.assertEqual(lab.stop(capture)[0], 0)
        by_process = {}
        for text, comment in self.statements(self.path("x.pcapng")):
            by_process.setdefault(re.match(r"pid=(\d+) ", comment).group(1), []).append(text)
        self.assertEqual(sorted(by_process.values()),
                         sorted([f"select {number}, {i};" for i in range(25)] for number in range(32)))

    def test_text(self):
        """The same as lines of JSON: the default without a file."""
        self.start_server()
        with open(self.path("out.json"), "wb") as out:
            capture = self.ns.start(lab.BINARY, "postgres", "--json", "-t", "100", stdout=out,
                                    stderr=subprocess.DEVNULL)

        def events():
            lines = [json.loads(line) for line in self.read("out.json").split("\n")[:-1]]
            return [line for line in lines if line["type"] == "statement" and self.tmp in line["statement"]]

        def captured():
            self.ask(f"select 'probe {self.tmp}'")
            return events()

        lab.wait_until(captured, lab.READY_SECONDS, "the first statement")
        self.ask(f"select 1 as \"{self.tmp}\" from nonsense", f"select '{self.tmp}', '\033{'x' * 200}'")
        found = lab.wait_until(lambda: [event for event in events() if "probe" not in event["statement"]][1:] and events(),
                               lab.READY_SECONDS, "two statements")
        self.assertEqual(lab.stop(capture)[0], 0)
        error, long = [event for event in found if "probe" not in event["statement"]]
        self.assertEqual((error["module"], error["comm"], error["database_user"], error["database"]),
                         ("postgres", "postgres", "postgres", "postgres"))
        self.assertRegex(error["error_text"], r'relation "nonsense" does not exist')
        self.assertEqual((long["rows"], long["statement_truncated"], len(long["statement"])), (1, True, 100))

    def test_extended_protocol(self):
        """Parse, Bind and Execute of one statement are one statement, executed as often as it was."""
        lab.need("pgbench")
        self.start_server()
        capture = self.start_capture(self.path("x.pcapng"))
        self.wait_for_statement(lambda: lab.file_holds(self.path("x.pcapng"), b"ecapture-probe"))
        with open(self.path("bench.sql"), "w", encoding="utf-8") as file:
            file.write("select :client_id + 1;\n")
        for mode in ("extended", "prepared"):
            self.ns.run("pgbench", "-n", "-M", mode, "-c", "4", "-t", "20", "-f", self.path("bench.sql"),
                        "-h", self.path("pg"), "-U", "postgres", "postgres")
        self.assertEqual(lab.stop(capture)[0], 0)
        texts = [text for text, _ in self.statements(self.path("x.pcapng"))]
        self.assertEqual(texts.count("select $1 + 1;"), 160, texts[:10])

    def test_parameters_live(self):
        """Texts, NULLs, binary values and one too long for a packet, on one connection: in the dissector, in the comment
        and as JSON."""
        lab.need("psql")
        self.start_server()
        tshark = self.start_tshark(interface="ecapture-postgres", display=self.field, probe=None,
                                   fields=(self.field, "frame.comment", "pgsql.val.data", "pgsql.val.length"))
        with open(self.path("out.json"), "wb") as out:
            capture = self.ns.start(lab.BINARY, "postgres", "--json", stdout=out, stderr=subprocess.DEVNULL)
        self.wait_for_statement(tshark.table, "the first statement")
        self.wait_for_statement(lambda: "ecapture-probe" in self.read("out.json"))
        client = Libpq(self.path("pg"))
        client.execute("select $1 || $2", b"it's", b"")
        client.execute("select $1::int + 1, $2::text", struct.pack(">i", 41), None)
        client.execute("select 'none'")
        client.execute("select length($1), $2::int", b"y" * 400000, b"7")
        client.execute("select $1::int", b"no number")
        client.close()
        lab.wait_until(lambda: any("$1::int" == row[self.field][7:] for row in tshark.table()), lab.READY_SECONDS,
                       "the last statement")
        lab.wait_until(lambda: "no number" in self.read("out.json"), lab.READY_SECONDS, "the last statement as JSON")
        self.assertEqual(lab.stop(capture)[0], 0)
        tshark.stop()
        rows = [row for row in tshark.table() if row[self.field] != PROBE]
        self.assertEqual([(row["pgsql.val.data"], row["pgsql.val.length"]) for row in rows][:3],
                         [(b"it's".hex(), "4,0"), ("00000029", "4,-1"), ("", "")])
        self.assertRegex(rows[1]["frame.comment"], "rows=1 params=2$")
        self.assertRegex(rows[3]["frame.comment"], "rows=1 params=2 params_cut=1$")
        self.assertTrue(rows[3]["pgsql.val.data"].startswith("79" * 200000), "the long value, as much as there is room for")
        self.assertEqual((rows[4]["pgsql.val.data"], "error=22P02" in rows[4]["frame.comment"]), (b"no number".hex(), True))
        events = [event for event in map(json.loads, self.read("out.json").splitlines())
                  if event["type"] == "statement" and event["statement"] != PROBE]
        self.assertEqual([[value.get("value") for value in event.get("parameters", [])] for event in events],
                         [["it's", ""], [None, None], [], ["y" * 400000, "7"], ["no number"]])
        self.assertEqual(events[1]["parameters"], [{"binary": True, "value_base64": "AAAAKQ==", "value_length": 4},
                                                   {"binary": True, "value": None}])

    def test_server_started_later(self):
        """A server that starts during the capture is hooked, and tells who logged in."""
        self.assertRegex(self.capture_server_that_starts_later(), "user=postgres db=postgres")

    def test_program_that_is_no_server(self):
        run = self.ns.run(lab.BINARY, "postgres", "--postgres", "/bin/true", "-w", self.path("x.pcapng"), check=False)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, r"^ecapture: /bin/true can't be hooked: .*\n$")


class Libpq:
    """PQexecParams(): the library's own clients send no parameters but as text. Bytes that hold a NUL go as binary."""

    def __init__(self, directory):
        self.library = ctypes.CDLL("libpq.so.5")
        self.library.PQconnectdb.restype = self.library.PQexecParams.restype = ctypes.c_void_p
        self.connection = ctypes.c_void_p(self.library.PQconnectdb(f"host={directory} user=postgres dbname=postgres".encode()))
        if self.library.PQstatus(self.connection):
            raise AssertionError("libpq does not connect")

    def execute(self, text, *values):
        number = len(values)
        binary = int(any(value and b"\0" in value for value in values))
        result = self.library.PQexecParams(
            self.connection, text.encode(), number, None, (ctypes.c_char_p * number)(*values),
            (ctypes.c_int * number)(*(len(value or b"") for value in values)), (ctypes.c_int * number)(*[binary] * number), 0)
        self.library.PQclear(ctypes.c_void_p(result))

    def close(self):
        self.library.PQfinish(self.connection)


class MariaDB(Server):
    module, field = "mysqld", "mysql.query"

    def setUp(self):
        super().setUp()
        lab.need("mariadbd", "mariadb", "mariadb-install-db")
        os.chmod(self.tmp, 0o755)
        os.mkdir(self.path("my"))
        shutil.chown(self.path("my"), "mysql")
        run = self.ns.run("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={self.path('my')}",
                          "--auth-root-authentication-method=normal", "--skip-test-db", check=False)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def start_server(self):
        with open(self.path("my.log"), "w", encoding="utf-8") as log:
            server = self.ns.start("mariadbd", "--no-defaults", "--user=mysql", f"--datadir={self.path('my')}", "--skip-networking",
                                   f"--socket={self.path('my/socket')}", "--innodb-flush-log-at-trx-commit=0", stderr=log)
        lab.wait_until(lambda: server.poll() is not None or self.ask("select 0").returncode == 0, lab.READY_SECONDS,
                       "an answer of the server")
        self.assertIsNone(server.poll(), self.read("my.log"))
        return server

    def client(self, *arguments):
        return ["mariadb", "--no-defaults", "-f", "-S", self.path("my/socket"), "-u", "root", *arguments]

    def ask(self, text):
        return self.ns.run(*self.client("-e", text), check=False)

    def test_mysqld_statements_live(self):
        """One pass of tshark while it happens: rows, an error, a text of many pieces, a prepared statement's text, on a
        server that ran before the capture."""
        long_text = "select '" + "x" * 100000 + "'"
        self.start_server()
        tshark = self.start_live()
        with open(self.path("x.sql"), "w", encoding="utf-8") as file:
            file.write("create database shop;\nuse shop;\ncreate table t (a int);\ninsert into t values (1), (2), (3);\n"
                       f"select a from t;\nselect nonsense;\n{long_text};\n")
        self.ns.run(*self.client("-e", f"source {self.path('x.sql')}"), check=False)
        Client(self.path("my/socket")).execute("select ? + 1", 41)
        lab.wait_until(lambda: any("+ 1" in row["mysql.query"] for row in tshark.table()), lab.READY_SECONDS,
                       "the last statement")
        tshark.stop()
        found = {row["mysql.query"]: row["frame.comment"] for row in tshark.table()}
        common = r"^pid=\d+ tid=\d+ comm=mariadbd uid=\d+ user=root "
        self.assertRegex(found["insert into t values (1), (2), (3)"], common + r"db=shop conn=\d+ duration=\d\.\d{6} rows=3$")
        self.assertRegex(found["select a from t"], common + r"db=shop conn=\d+ duration=\d\.\d{6} rows=3$")
        self.assertRegex(found["select nonsense"], common + "db=shop conn=.* error=1054 Unknown column 'nonsense'")
        self.assertRegex(found[long_text], common + "db=shop conn=")
        self.assertRegex(found["select ? + 1"], common + r"conn=\d+ duration=\d\.\d{6} rows=1$")

    def test_mysqld_many_connections(self):
        """Every statement there once, and in order on its connection."""
        self.start_server()
        capture = self.start_capture(self.path("x.pcapng"))
        self.wait_for_statement(lambda: lab.file_holds(self.path("x.pcapng"), b"ecapture-probe"))
        self.ask_many(lambda path: self.client("-N", "-e", f"source {path}"))
        self.assertEqual(lab.stop(capture)[0], 0)
        by_connection = {}
        for text, comment in self.statements(self.path("x.pcapng")):
            by_connection.setdefault(re.search(r" conn=(\d+) ", comment).group(1), []).append(text)
        self.assertEqual(sorted(filter(None, ([text for text in texts if re.match(r"select \d+, ", text)]
                                              for texts in by_connection.values()))),
                         sorted([f"select {number}, {i}" for i in range(25)] for number in range(32)))

    def test_mysqld_server_started_later(self):
        self.assertRegex(self.capture_server_that_starts_later(), "user=root")


class Client:
    """As little of MySQL's protocol as a prepared statement takes; the command-line client has none."""

    def __init__(self, path, plugin=""):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(lab.PATIENCE)
        self.socket.connect(path)
        self.read()
        # CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH; utf8; root without a
        # password
        flags, name = (0x88201, plugin.encode() + b"\0") if plugin else (0x8201, b"")
        self.write(struct.pack("<IIB23x", flags, 1 << 24, 33) + b"root\0\0" + name, 1)
        self.expect(0)

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise AssertionError("the server hung up")
            data += piece
        return data

    def read(self):
        head = self.read_exactly(4)
        return self.read_exactly(int.from_bytes(head[:3], "little"))

    def write(self, data, sequence=0):
        self.socket.sendall(len(data).to_bytes(3, "little") + bytes([sequence]) + data)

    def expect(self, first):
        data = self.read()
        if data[0] != first:
            raise AssertionError(f"the server answers {data!r}")
        return data

    def skip_to_eof(self):
        while self.read()[0] != 0xfe:
            pass

    def execute(self, text, number):
        self.write(b"\x16" + text.encode())
        answer = self.expect(0)
        statement, columns, parameters = struct.unpack_from("<IHH", answer, 1)
        for count in (parameters, columns):
            if count:
                self.skip_to_eof()
        self.write(struct.pack("<BIBIBBHq", 0x17, statement, 0, 1, 0, 1, 8, number))
        self.skip_to_eof()
        self.skip_to_eof()
        self.socket.close()

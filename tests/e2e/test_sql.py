# SPDX-License-Identifier: GPL-2.0-or-later
"""SQL statements of real servers: each once, in order, with who asked and what came of it."""
import glob
import os
import re
import shutil
import subprocess

import lab

PROBE = "select 'ecapture-probe'"


def postgres_programs():
    """The directory of the newest PostgreSQL server that is installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    if not found and not shutil.which("postgres"):
        raise lab.unittest.SkipTest("PostgreSQL's server is not installed")
    return os.path.dirname(found[-1] if found else shutil.which("postgres"))


class Postgres(lab.Lab):
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

    def psql(self, *statements):
        commands = [word for statement in statements for word in ("-c", statement)]
        return self.ns.run(*self.client(*commands), check=False)

    def start_capture(self, path):
        process = self.ns.start(lab.BINARY, "postgres", "-w", path, stderr=subprocess.PIPE, text=True)

        def captured():
            self.assertIsNone(process.poll(), "ecapture has ended")
            self.psql(PROBE)
            return os.path.exists(path) and lab.file_holds(path, b"ecapture-probe")

        lab.wait_until(captured, lab.READY_SECONDS, "the first statement")
        return process

    def statements(self, path):
        """(text, comment) of each that is no probe."""
        rows = self.decrypt(path, "pgsql.query", "pgsql.query", "frame.comment")
        return [(text, comment) for text, comment in rows if text != PROBE]

    def test_statements_live(self):
        """One pass of tshark while it happens: rows, errors, several statements in one, a text of many pieces, and a
        server that ran before the capture."""
        long_text = "select '" + "x" * 100000 + "'"
        self.start_server()
        tshark = self.start_tshark(interface="ecapture-postgres", display="pgsql.query",
                                   fields=("pgsql.query", "frame.comment"), probe=None)

        def rows():
            self.psql(PROBE)
            return tshark.table()

        lab.wait_until(rows, lab.READY_SECONDS, f"the first statement: {tshark.messages()}")
        self.psql("create table t (a int)", "insert into t values (1), (2), (3)", "select nonsense", "select 1; select 2",
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
        clients = []
        for number in range(32):
            with open(self.path(f"{number}.sql"), "w", encoding="utf-8") as file:
                file.writelines(f"select {number}, {i};\n" for i in range(25))
            clients.append(self.ns.start(*self.client("-f", self.path(f"{number}.sql")), stdout=subprocess.DEVNULL))
        for client in clients:
            self.assertEqual(client.wait(lab.PATIENCE), 0)
        self.assertEqual(lab.stop(capture)[0], 0)
        by_process = {}
        for text, comment in self.statements(self.path("x.pcapng")):
            by_process.setdefault(re.match(r"pid=(\d+) ", comment).group(1), []).append(text)
        self.assertEqual(sorted(by_process.values()),
                         sorted([f"select {number}, {i};" for i in range(25)] for number in range(32)))

    def test_extended_protocol(self):
        """Parse, Bind and Execute of one statement are one statement, executed as often as it was."""
        lab.need("pgbench")
        self.start_server()
        capture = self.start_capture(self.path("x.pcapng"))
        with open(self.path("bench.sql"), "w", encoding="utf-8") as file:
            file.write("select :client_id + 1;\n")
        for mode in ("extended", "prepared"):
            self.ns.run("pgbench", "-n", "-M", mode, "-c", "4", "-t", "20", "-f", self.path("bench.sql"),
                        "-h", self.path("pg"), "-U", "postgres", "postgres")
        self.assertEqual(lab.stop(capture)[0], 0)
        texts = [text for text, _ in self.statements(self.path("x.pcapng"))]
        self.assertEqual(texts.count("select $1 + 1;"), 160, texts[:10])

    def test_server_started_later(self):
        """A server that starts during the capture is hooked, and tells who logged in."""
        capture = self.ns.start(lab.BINARY, "postgres", "-w", self.path("x.pcapng"), stderr=subprocess.PIPE, text=True)
        lab.wait_until(lambda: os.path.exists(self.path("x.pcapng")), lab.READY_SECONDS, "the capture's file")
        self.start_server()

        def captured():
            self.psql(PROBE)
            return lab.file_holds(self.path("x.pcapng"), b"ecapture-probe")

        lab.wait_until(captured, lab.READY_SECONDS, "the first statement")
        self.assertEqual(lab.stop(capture)[0], 0)
        self.assertRegex(self.decrypt(self.path("x.pcapng"), "pgsql.query", "frame.comment")[-1][0],
                         "user=postgres db=postgres")

    def test_program_that_is_no_server(self):
        run = self.ns.run(lab.BINARY, "postgres", "--postgres", "/bin/true", "-w", self.path("x.pcapng"), check=False)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, r"^ecapture: /bin/true can't be hooked: .*\n$")

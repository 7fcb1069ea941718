# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of the support table (tests/matrix): the database servers of Debian's releases under 32 connections of each kind,
from clients of the same release. Every statement has to be there once, in order on its connection, with its text, user,
database, parameters, rows and error. They run with tests/run --matrix."""
import collections
import itertools
import os
import re
import shutil
import subprocess

import debian
import lab
import test_sql

CLIENTS, ROUNDS = 32, 20
# pgbench ends a client at its first error: it is each client's last statement.
PGBENCH = f"""\\set n :n + 1
insert into t values (:client_id, :n);
select b from t where a = :client_id and b <= :n;
update t set b = b where a = :client_id;
\\if :n = {ROUNDS}
select 1 / (:n - {ROUNDS});
\\endif
"""
SYSBENCH = """
function thread_init()
    connection = sysbench.sql.driver():connect()
    n = 0
    prepared = connection:prepare("select b from t where a = ? and b <= ?")
    a, b = prepared:bind_create(sysbench.sql.type.INT), prepared:bind_create(sysbench.sql.type.INT)
    prepared:bind_param(a, b)
end

function event(client)
    n = n + 1
    connection:query(("insert into t values (%d, %d)"):format(client, n))
    connection:query(("select b from t where a = %d and b <= %d"):format(client, n))
    a:set(client)
    b:set(n)
    prepared:execute()
    pcall(connection.query, connection, ("select nonsense%d"):format(n))
    connection:query(("update t set b = b + 1000 where a = %d"):format(client))
    connection:query(("update t set b = b - 1000 where a = %d"):format(client))
end
"""

Seen = collections.namedtuple("Seen", "text parameters user database outcome")


class Release(test_sql.Server):
    """A server and clients in a release's root; a subclass has `packages`, `parameters`, `connection`."""

    def enter(self, suite, *packages):
        self.prefix = debian.enter_release(self, suite, *packages)

    def in_root(self, *command):
        run = self.ns.run(*self.prefix, *command, check=False, cwd="/")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def start_in_root(self, log, *command):
        with open(self.path(log), "w", encoding="utf-8") as file:
            return self.ns.start(*self.prefix, *command, stdout=file, stderr=file, cwd="/")

    def wait_for_server(self, server):
        lab.wait_until(lambda: server.poll() is not None or self.ask("select 0").returncode == 0, lab.READY_SECONDS,
                       "an answer of the server")
        self.assertIsNone(server.poll(), self.read("server.log"))

    def read_connections(self, path):
        """Of each connection its statements, in order."""
        found = collections.defaultdict(list)
        for text, comment, *parameters in self.decrypt(path, self.field, self.field, "frame.comment", *self.parameters):
            known = dict(re.findall(r"(\w+)=(\S*)", comment))
            self.assertRegex(known["duration"], r"^\d+\.\d{6}$")
            values = tuple(bytes.fromhex(value).decode() for value in ",".join(parameters).split(",") if value)
            outcome = "error" if "error" in known else "rows"
            found[known[self.connection]].append(Seen(text, values, known["user"], known.get("db"), f"{outcome}={known[outcome]}"))
        return list(found.values())

    def capture_load(self, run_load):
        path = self.path("load.pcapng")
        capture = self.start_capture(path)
        self.wait_for_statement(lambda: lab.file_holds(path, b"ecapture-probe"))
        run_load()
        status, _ = lab.stop(capture)
        self.assertEqual(status, 0)
        return self.read_connections(path)

    def assert_same(self, found, expected):
        """Lists of statements by connection, in any order; a failure names no more than what differs."""
        left = [connection for connection in expected if connection not in found]
        for connection in found:
            if connection in expected:
                continue
            near = max(left, key=lambda one: sum(map(tuple.__eq__, one, connection)), default=[])
            pairs = [(one, other) for one, other in itertools.zip_longest(connection, near) if one != other]
            self.fail(f"{len(connection)} statements instead of {len(near)}; seen and asked: {pairs[:3]}")
        self.assertEqual(len(found), len(expected), "connections")


class PostgresReleases(Release):
    module, field, parameters, connection = "postgres", "pgsql.query", ("pgsql.val.data",), "pid"
    MODES = ("simple", "extended", "prepared")

    def setUp(self):
        super().setUp()
        debian.extended()

    def start_server(self, suite, version):
        self.enter(suite, f"postgresql-{version}")
        self.programs = f"/usr/lib/postgresql/{version}/bin"
        self.as_postgres = ("runuser", "-u", "postgres", "--")
        data = self.path("pg/data")
        os.mkdir(self.path("pg"))
        self.in_root("chown", "postgres", self.path("pg"))
        self.in_root(*self.as_postgres, f"{self.programs}/initdb", "-N", "-A", "trust", "-D", data)
        server = self.start_in_root("server.log", *self.as_postgres, f"{self.programs}/postgres", "-D", data, "-k", self.path("pg"),
                                    "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
        self.wait_for_server(server)

    def psql(self, *arguments):
        return (*self.prefix, f"{self.programs}/psql", "-q", "-A", "-t", "-h", self.path("pg"), *arguments)

    def ask(self, *statements):
        words = [word for statement in statements for word in ("-c", statement)]
        return self.ns.run(*self.psql("-U", "postgres", *words, "postgres"), check=False)

    def run_pgbench(self):
        """Of each mode 32 clients, all at once, each mode as a user of its own in a database of its own."""
        with open(self.path("load.sql"), "w", encoding="utf-8") as file:
            file.write(PGBENCH)
        loads = [self.start_in_root(f"{mode}.log", f"{self.programs}/pgbench", "-n", "-M", mode, "-D", "n=0", "-c", str(CLIENTS),
                                    "-t", str(ROUNDS), "-f", self.path("load.sql"), "-h", self.path("pg"), "-U", f"u_{mode}",
                                    f"d_{mode}") for mode in self.MODES]
        for mode, load in zip(self.MODES, loads):
            load.wait(2 * lab.PATIENCE)
            self.assertEqual(self.read(f"{mode}.log").count("division by zero"), CLIENTS, self.read(f"{mode}.log"))

    @staticmethod
    def expect(mode, client):
        """What one client asks."""
        def statement(text, parameters, outcome):
            if mode == "simple":
                for number, value in enumerate(parameters, 1):
                    text = text.replace(f"${number}", value)
                parameters = ()
            return Seen(text, parameters, f"u_{mode}", f"d_{mode}", outcome)

        rows = []
        for n in range(1, ROUNDS + 1):
            rows.append(statement("insert into t values ($1, $2);", (str(client), str(n)), "rows=1"))
            rows.append(statement("select b from t where a = $1 and b <= $2;", (str(client), str(n)), f"rows={n}"))
            rows.append(statement("update t set b = b where a = $1;", (str(client),), f"rows={n}"))
        return rows + [statement(f"select 1 / ($1 - {ROUNDS});", (str(ROUNDS),), "error=22012")]

    def check_release(self, suite, version):
        self.start_server(suite, version)
        for mode in self.MODES:
            self.assertEqual(self.ask(f"create user u_{mode}", f"create database d_{mode} owner u_{mode}").returncode, 0)
            self.in_root(*self.psql("-U", f"u_{mode}", "-c", "create table t (a int, b int)", f"d_{mode}")[len(self.prefix):])
        found = self.capture_load(self.run_pgbench)
        self.assert_same([connection for connection in found if connection[0].user != "postgres"],
                         [self.expect(mode, client) for mode in self.MODES for client in range(CLIENTS)])

    def test_postgres_bullseye(self):
        self.check_release("bullseye", 13)

    def test_postgres_bookworm(self):
        self.check_release("bookworm", 15)

    def test_postgres_trixie(self):
        self.check_release("trixie", 17)

    def test_postgres_forky(self):
        self.check_release("forky", 18)


class MariaDBReleases(Release):
    module, field, parameters, connection = "mysqld", "mysql.query", (), "conn"
    USERS = ("u_one", "u_two")

    def setUp(self):
        super().setUp()
        debian.extended()

    def start_server(self, suite):
        self.enter(suite, "mariadb-server", "sysbench")
        os.mkdir(self.path("my"))
        self.in_root("chown", "mysql", self.path("my"))
        self.in_root("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={self.path('my')}",
                     "--auth-root-authentication-method=normal", "--skip-test-db")
        server = self.start_in_root("server.log", "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={self.path('my')}",
                                    "--skip-networking", f"--socket={self.path('my/socket')}", "--innodb-flush-log-at-trx-commit=0")
        self.wait_for_server(server)

    def ask(self, text):
        return self.ns.run(*self.prefix, "mariadb", "--no-defaults", "-S", self.path("my/socket"), "-u", "root", "-e", text,
                           check=False)

    def run_sysbench(self):
        with open(self.path("load.lua"), "w", encoding="utf-8") as file:
            file.write(SYSBENCH)
        loads = [self.start_in_root(f"{user}.log", "sysbench", self.path("load.lua"), "--db-driver=mysql", "--time=0",
                                    f"--mysql-socket={self.path('my/socket')}", f"--mysql-user={user}", "--mysql-password=",
                                    f"--mysql-db=d{user[1:]}", f"--threads={CLIENTS}", f"--events={CLIENTS * ROUNDS}",
                                    "--mysql-ignore-errors=all", "run") for user in self.USERS]
        for user, load in zip(self.USERS, loads):
            self.assertEqual(load.wait(2 * lab.PATIENCE), 0, self.read(f"{user}.log"))

    @staticmethod
    def expect(user, client, rounds):
        def statement(text, outcome):
            return Seen(text, (), user, f"d{user[1:]}", outcome)

        rows = []
        for n in range(1, rounds + 1):
            rows += [statement(f"insert into t values ({client}, {n})", "rows=1"),
                     statement(f"select b from t where a = {client} and b <= {n}", f"rows={n}"),
                     statement("select b from t where a = ? and b <= ?", f"rows={n}"),
                     statement(f"select nonsense{n}", "error=1054"),
                     statement(f"update t set b = b + 1000 where a = {client}", f"rows={n}"),
                     statement(f"update t set b = b - 1000 where a = {client}", f"rows={n}")]
        return rows

    def check_release(self, suite):
        self.start_server(suite)
        for user in self.USERS:
            self.assertEqual(self.ask(f"create user {user}@localhost; create database d{user[1:]}; create table d{user[1:]}.t "
                                      f"(a int, b int, key (a)); grant all on d{user[1:]}.* to {user}@localhost").returncode, 0)
        connections = [connection for connection in self.capture_load(self.run_sysbench) if connection[0].user != "root"]
        self.assertEqual(len(connections), CLIENTS * len(self.USERS))
        found = {}
        for connection in connections:
            client = int(re.search(r"\((\d+), ", connection[0].text)[1])
            found[connection[0].user, client] = connection
        self.assertEqual(sum(len(connection) for connection in found.values()), 6 * CLIENTS * ROUNDS * len(self.USERS))
        for (user, client), connection in found.items():
            self.assertEqual(connection, self.expect(user, client, len(connection) // 6))

    def test_mariadb_bullseye(self):
        self.check_release("bullseye")

    def test_mariadb_bookworm(self):
        self.check_release("bookworm")

    def test_mariadb_trixie(self):
        self.check_release("trixie")

    def test_mariadb_forky(self):
        self.check_release("forky")


class MySQLReleases(Release):
    """MySQL, which of Debian's suites only sid has, under clients that are its own."""
    module, field, parameters, connection = "mysqld", "mysql.query", (), "conn"

    def start_server(self, suite):
        self.enter(suite, "mysql-server-core", "mysql-client-core")
        os.mkdir(self.path("my"))
        shutil.chown(self.path("my"), "nobody")
        common = ("mysqld", "--no-defaults", "--user=nobody", f"--datadir={self.path('my/data')}", "--secure-file-priv=")
        self.in_root(*common, "--initialize-insecure")
        server = self.start_in_root("server.log", *common, "--skip-networking", "--mysqlx=OFF",
                                    f"--socket={self.path('my/socket')}", f"--pid-file={self.path('my/pid')}",
                                    "--innodb-flush-log-at-trx-commit=0", "--max-connections=200")
        self.wait_for_server(server)

    def client(self, user, *arguments):
        return (*self.prefix, "mysql", "--no-defaults", "-f", "-N", "-S", self.path("my/socket"), "-u", user, *arguments)

    def ask(self, text):
        return self.ns.run(*self.client("root", "-e", text), check=False)

    @staticmethod
    def expect(client):
        rows = []
        for n in range(1, ROUNDS + 1):
            rows += [(f"insert into t values ({client}, {n})", "rows=1"),
                     (f"select b from t where a = {client} and b <= {n}", f"rows={n}"),
                     (f"select nonsense{n}", "error=1054"),
                     (f"update t set b = b + 1000 where a = {client}", f"rows={n}"),
                     (f"update t set b = b - 1000 where a = {client}", f"rows={n}")]
        return [Seen(text, (), "u_one", "d_one", outcome) for text, outcome in rows]

    def run_clients(self):
        clients = []
        for client in range(CLIENTS):
            with open(self.path(f"{client}.sql"), "w", encoding="utf-8") as file:
                file.writelines(f"{statement.text};\n" for statement in self.expect(client))
            # Its own `source` is not allowed by default.
            clients.append(self.start_in_root(f"{client}.log", "sh", "-c", f"exec \"$@\" <{self.path(f'{client}.sql')}", "sh",
                                              *self.client("u_one", "d_one")[len(self.prefix):]))
        for client in clients:
            client.wait(2 * lab.PATIENCE)
        test_sql.Client(self.path("my/socket"), "caching_sha2_password").execute("select ? + 1", 41)

    def test_mysql_sid(self):
        debian.extended()
        self.start_server("sid")
        self.assertEqual(self.ask("create user u_one@localhost; create database d_one; create table d_one.t (a int, b int, key (a)); "
                                  "grant all on d_one.* to u_one@localhost").returncode, 0)
        found = self.capture_load(self.run_clients)
        self.assertEqual([one[0] for one in found if one[0].text.endswith("+ 1")],
                         [Seen("select 41 + 1", (), "root", None, "rows=1")])
        own = [[one for one in connection if re.match("insert|select b|select nonsense|update", one.text)]
               for connection in found if connection[0].user == "u_one"]
        self.assert_same(own, [self.expect(client) for client in range(CLIENTS)])

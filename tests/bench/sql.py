# SPDX-License-Identifier: GPL-2.0-or-later
"""The database servers of the benchmark: the newest PostgreSQL that is installed, and MariaDB. One that is missing is left
out, which is said."""
import glob
import os
import re
import shutil
import sys
import time

READY_SECONDS = 60
CLIENTS = 8
ROWS = 10000


def read_ticks(pid, *fields):
    """Seconds of what /proc/PID/stat counts in these fields, by proc(5)'s numbers."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        values = file.read().rsplit(")", 1)[1].split()
    return sum(int(values[field - 3]) for field in fields) / os.sysconf("SC_CLK_TCK")


class Server:
    """`module`, `loads` (names for run()), `probe` (a command that asks something), and the process `server`."""

    def __init__(self, lab, *command):
        self.lab = lab
        self.server = lab.start(*command, stderr=open(lab.path(f"{self.module}.log"), "w", encoding="utf-8"), cwd="/")
        deadline = time.monotonic() + READY_SECONDS
        while lab.run(*self.probe, check=False).returncode:
            if time.monotonic() > deadline or self.server.poll() is not None:
                sys.exit(f"bench: {command[0]} does not answer")
            time.sleep(0.1)

    def close(self):
        self.server.terminate()
        self.server.wait()


class Postgres(Server):
    """A statement of a select-only load is as cheap as one can be; pgbench's own transaction has seven, which write."""
    module = "postgres"
    loads = {"pgbench, its transaction": (7, "simple"), "pgbench -S": (1, "simple", "-S"),
             "pgbench -S, prepared": (1, "prepared", "-S")}

    def __init__(self, lab, programs):
        self.directory = lab.path("pg")
        os.mkdir(self.directory)
        shutil.chown(self.directory, "postgres")
        self.where = ("-h", self.directory, "-U", "postgres", "postgres")
        self.probe = ("psql", "-qc", "select 'something to see'", *self.where)
        self.pgbench = ("pgbench", "-n", "-h", self.directory, "-U", "postgres")
        user = ("runuser", "-u", "postgres", "--")
        lab.run(*user, f"{programs}/initdb", "-A", "trust", "-D", f"{self.directory}/data")
        super().__init__(lab, *user, f"{programs}/postgres", "-D", f"{self.directory}/data", "-k", self.directory,
                         "-c", "listen_addresses=")
        with open(f"{self.directory}/data/postmaster.pid", encoding="ascii") as file:
            self.postmaster = int(file.readline())
        lab.run(*self.pgbench, "-i", "-q", "-s", str(CLIENTS), "postgres")

    def children(self):
        with open(f"/proc/{self.postmaster}/task/{self.postmaster}/children", encoding="ascii") as file:
            return file.read().split()

    def run(self, name, seconds):
        """(statements, seconds, the server's processor time)"""
        per_transaction, mode, *arguments = self.loads[name]
        others, before = self.children(), read_ticks(self.postmaster, 14, 15, 16, 17)
        output = self.lab.run(*self.pgbench, "-M", mode, "-c", str(CLIENTS), "-T", str(seconds), *arguments, "postgres").stdout
        while len(self.children()) > len(others):  # a backend's time is counted when it has ended
            time.sleep(0.05)
        transactions = int(re.search(r"actually processed: (\d+)", output).group(1))
        rate = float(re.search(r"tps = ([\d.]+) \((?:without|excluding)", output).group(1))
        return per_transaction * transactions, transactions / rate, read_ticks(self.postmaster, 14, 15, 16, 17) - before


class MariaDB(Server):
    module = "mysqld"
    loads = {"mariadb-slap": 20000}  # statements per second of the option; the machine decides how long they take

    def __init__(self, lab):
        self.directory = lab.path("my")
        os.mkdir(self.directory)
        shutil.chown(self.directory, "mysql")
        lab.run("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={self.directory}",
                "--auth-root-authentication-method=normal", "--skip-test-db")
        self.where = ("--no-defaults", "-S", f"{self.directory}/socket", "-u", "root")
        self.probe = ("mariadb", *self.where, "-e", "select 'something to see'")
        super().__init__(lab, "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={self.directory}", "--skip-networking",
                         f"--socket={self.directory}/socket")
        lab.run("mariadb", *self.where, "-e", "create database bench; use bench; create table t (a int primary key, b int); "
                f"insert into t select seq, seq from seq_1_to_{ROWS}")

    def run(self, name, seconds):
        """(statements, seconds, the server's processor time)"""
        statements, before = self.loads[name] * seconds, read_ticks(self.server.pid, 14, 15)
        output = self.lab.run("mariadb-slap", *self.where, f"--concurrency={CLIENTS}", f"--number-of-queries={statements}",
                              "--create-schema=bench", "--no-drop", f"--query=select b from t where a = {ROWS // 2}").stdout
        took = float(re.search(r"Average number of seconds to run all queries: ([\d.]+)", output).group(1))
        return statements, took, read_ticks(self.server.pid, 14, 15) - before


def start_servers(lab):
    """One after the other: the first is to be closed before the next is asked for."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    if programs and shutil.which("pgbench"):
        yield Postgres(lab, os.path.dirname(programs[-1]))
    else:
        print("sql: PostgreSQL or pgbench is not installed")
    if shutil.which("mariadbd") and shutil.which("mariadb-slap"):
        yield MariaDB(lab)
    else:
        print("sql: MariaDB is not installed")

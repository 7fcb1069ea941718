# SPDX-License-Identifier: GPL-2.0-or-later
"""Many processes with many builds of a library, as on a machine with many containers; ten thousand with a thousand by
tests/run --matrix."""
import json
import os
import resource
import subprocess

import debian
import lab

PROCESSES, FILES = 10000, 1000
SLEEPERS = """
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

int main(int n_arguments, char **arguments)
{
    char path[4096];
    pid_t parent = getpid();

    for (int i = 0; i < atoi(arguments[1]); i++) {
        if (fork() != 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(path, sizeof(path), "libssl-%d.so.3", i % atoi(arguments[2]));
        int fd = open(path, O_RDONLY);
        if (getppid() != parent || mmap(NULL, 1 << 16, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
            _exit(1);
        close(fd);
        pause();
        _exit(0);
    }
    puts("ready");
    fflush(stdout);
    getchar();
    return n_arguments != 3;
}
"""


class Many(lab.Lab):
    def start_sleepers(self, processes, files):
        """Every file is a build of its own."""
        lab.need("cc")
        with open(self.path("sleepers.c"), "w", encoding="utf-8") as file:
            file.write(SLEEPERS)
        subprocess.run(["cc", "-O1", "-static", "-o", self.path("sleepers"), self.path("sleepers.c")], check=True)
        system = lab.libssl()
        for number in range(files):
            lab.make_another_build(system, self.path(f"libssl-{number}.so.3"), number.to_bytes(4, "little"))
        sleepers = self.ns.start(self.path("sleepers"), str(processes), str(files), cwd=self.tmp, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.assertEqual(sleepers.stdout.readline(), "ready\n")

    def list_json(self, processes, files):
        """Processor seconds, which a busy machine doesn't change as it does the clock's."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = self.ns.run(lab.BINARY, "list", "--json", env=dict(os.environ, XDG_CACHE_HOME=self.path("cache")))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        libraries = [library for process in json.loads(run.stdout)["processes"] for library in process["libraries"]
                     if library["path"].startswith(self.tmp) and library["hookable"]]
        self.assertGreaterEqual(len(libraries), processes * 0.99)
        self.assertEqual(len({library["path"] for library in libraries}), files)
        self.assertEqual(len({library["build_id"] for library in libraries}), files)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def test_list(self):
        """Anew, and then as its cache knows them; whatever the cache holds."""
        self.start_sleepers(20, 10)
        self.list_json(20, 10)
        directory = os.path.join(self.path("cache"), "ecapture")
        self.assertGreaterEqual(len(os.listdir(directory)), 10)
        self.list_json(20, 10)
        for number, name in enumerate(os.listdir(directory)):
            with open(os.path.join(directory, name), "r+b") as file:
                file.seek(number * 7)
                file.write(b"\xff\0 7")
        self.list_json(20, 10)

    def test_list_of_ten_thousand(self):
        debian.extended()
        self.start_sleepers(PROCESSES, FILES)
        print(f"ten thousand processes, not yet known: {self.list_json(PROCESSES, FILES):.1f} s of processor time")
        self.assertLess(self.list_json(PROCESSES, FILES), 2, "seconds")

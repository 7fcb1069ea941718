# SPDX-License-Identifier: GPL-2.0-or-later
"""Ten thousand processes with a thousand library files, as on a machine with many containers; with tests/run --matrix."""
import json
import resource
import shutil
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


def libssl():
    maps = subprocess.run([lab.PYTHON, "-c", "import ssl; print(open('/proc/self/maps').read())"], capture_output=True,
                          text=True, check=True).stdout
    return next(line.split()[-1] for line in maps.splitlines() if "/libssl.so" in line)


class Many(lab.Lab):
    def start_sleepers(self):
        lab.need("cc")
        with open(self.path("sleepers.c"), "w", encoding="utf-8") as file:
            file.write(SLEEPERS)
        subprocess.run(["cc", "-O1", "-static", "-o", self.path("sleepers"), self.path("sleepers.c")], check=True)
        source = libssl()
        for number in range(FILES):
            shutil.copy(source, self.path(f"libssl-{number}.so.3"))
        sleepers = self.ns.start(self.path("sleepers"), str(PROCESSES), str(FILES), cwd=self.tmp, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.assertEqual(sleepers.stdout.readline(), "ready\n")

    def test_list(self):
        """Processor time, which a busy machine doesn't change as it does the clock's."""
        debian.extended()
        self.start_sleepers()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = self.ns.run(lab.BINARY, "list", "--json")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        libraries = [library for process in json.loads(run.stdout)["processes"] for library in process["libraries"]
                     if library["path"].startswith(self.tmp) and library["hookable"]]
        self.assertGreaterEqual(len(libraries), PROCESSES * 0.99)
        self.assertEqual(len({library["path"] for library in libraries}), FILES)
        self.assertLess(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2, "seconds")

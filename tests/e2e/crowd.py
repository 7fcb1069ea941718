# SPDX-License-Identifier: GPL-2.0-or-later
"""Many processes that map many builds of a library, as on a machine with many containers."""
import os
import subprocess

import lab

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


class Crowd:
    """`processes` that sleep, the i-th one with file i modulo `files` of `directory`, each file a build of its own. They
    end with close(), or with whoever made them."""

    def __init__(self, directory, processes, files, first=0):
        """`first`: number of the first build; others are builds that were not seen before."""
        lab.need("cc")
        self.directory, self.files = directory, files
        program = os.path.join(directory, "sleepers")
        subprocess.run(["cc", "-O1", "-static", "-x", "c", "-o", program, "-"], input=SLEEPERS, text=True, check=True)
        system = lab.libssl()
        for number in range(files):
            lab.make_another_build(system, self.path(number), (first + number).to_bytes(4, "little"))
        self.sleepers = subprocess.Popen([program, str(processes), str(files)], cwd=directory, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        if self.sleepers.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError(f"{processes} processes can't be started")

    def path(self, number):
        return os.path.join(self.directory, f"libssl-{number}.so.3")

    def remove_files(self):
        for number in range(self.files):
            os.unlink(self.path(number))

    def close(self):
        self.sleepers.stdin.close()
        self.sleepers.stdout.close()
        self.sleepers.wait()

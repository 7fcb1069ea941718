# SPDX-License-Identifier: GPL-2.0-or-later
"""Many processes with many builds of a library, as on a machine with many containers; ten thousand with a thousand by
tests/run --matrix."""
import contextlib
import json
import os
import resource

import crowd
import debian
import lab

PROCESSES, FILES = 10000, 1000


class Many(lab.Lab):
    def start_crowd(self, processes, files):
        self.defer(crowd.Crowd(self.tmp, processes, files).close)

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

    @staticmethod
    def count_descriptors(process, prefix):
        directory, found = f"/proc/{process.pid}/fd", 0
        for name in os.listdir(directory):
            with contextlib.suppress(OSError):
                found += os.readlink(os.path.join(directory, name)).startswith(prefix)
        return found

    def test_list(self):
        """Anew, and then as its cache knows them; whatever the cache holds."""
        self.start_crowd(20, 10)
        self.list_json(20, 10)
        directory = os.path.join(self.path("cache"), "ecapture")
        self.assertGreaterEqual(len(os.listdir(directory)), 10)
        self.list_json(20, 10)
        for number, name in enumerate(os.listdir(directory)):
            with open(os.path.join(directory, name), "r+b") as file:
                file.seek(number * 7)
                file.write(b"\xff\0 7")
        self.list_json(20, 10)

    def test_files_that_went_away(self):
        """A capture gives back what libraries took that nobody can map any more, and sees those that come after them."""
        capture = self.start_ecapture("-w", self.path("out.pcapng"))
        for generation in range(2):
            people = crowd.Crowd(self.tmp, 20, 10, first=generation << 16)
            self.defer(people.close)
            lab.wait_until(lambda: self.count_descriptors(capture, self.tmp + "/libssl") == 10, lab.PATIENCE, "all are open")
            lab.wait_until(lambda: len(os.listdir(self.path("cache/ecapture"))) >= 10, lab.PATIENCE, "all are hooked")
            links = self.count_descriptors(capture, "anon_inode:")
            people.close()
            people.remove_files()
            lab.wait_until(lambda: self.count_descriptors(capture, self.tmp + "/libssl") == 0, lab.PATIENCE, "all are closed")
            # Others may come meanwhile.
            lab.wait_until(lambda: self.count_descriptors(capture, "anon_inode:") <= links - 5, lab.PATIENCE,
                           "their probes are taken away")

    def test_list_of_ten_thousand(self):
        debian.extended()
        self.start_crowd(PROCESSES, FILES)
        print(f"ten thousand processes, not yet known: {self.list_json(PROCESSES, FILES):.1f} s of processor time")
        self.assertLess(self.list_json(PROCESSES, FILES), 2, "seconds")

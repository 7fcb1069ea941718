# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs to know of many processes: `ecapture list`, the extcap dialog, and a capture that runs while nothing happens,
while many processes end, and while one generation of libraries follows another."""
import contextlib
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import crowd

IDLE_SECONDS = 20
GENERATIONS = 4
SETTLE_SECONDS = 120
INTERFACES = ("ecapture", "ecapture-tls", "ecapture-bash", "ecapture-postgres")


def read_cpu(pid):
    """Seconds that the process's threads have run, in the kernel too."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def read_memory(pid):
    """MiB of its own: without the rings and files."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"RssAnon:\s*(\d+)", file.read()).group(1)) / 1024


def count_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def measure_command(*command, cache):
    """Seconds by the clock, and of processor time."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, XDG_CACHE_HOME=cache))
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(name, measurements):
    walls, cpus = zip(*measurements)
    print(f"  {name:<34} {statistics.median(cpus):.2f} s of processor time [{min(cpus):.2f} … {max(cpus):.2f}], "
          f"{statistics.median(walls):.2f} s by the clock [{min(walls):.2f} … {max(walls):.2f}]", flush=True)


def bench_queries(binary, rounds):
    cold, warm, dialogs = [], [], {name: [] for name in INTERFACES}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="ecapture-bench-cache-") as cache:
            cold.append(measure_command(binary, "list", cache=cache))
            warm.append(measure_command(binary, "list", cache=cache))
            for name, times in dialogs.items():
                times.append(measure_command(binary, "--extcap-interface", name, "--extcap-config", cache=cache))
    show("list, nothing in the cache", cold)
    show("list, all in the cache", warm)
    for name, times in dialogs.items():
        show(f"dialog of {name}", times)


def state(pid):
    return f"{read_memory(pid):.1f} MiB, {count_descriptors(pid)} descriptors"


def settle(pid, descriptors):
    """Waits until it has given back what it needs no more."""
    end = time.monotonic() + SETTLE_SECONDS
    while count_descriptors(pid) > descriptors and time.monotonic() < end:
        time.sleep(0.5)


def bench_idle(pid):
    begin, cpu = time.monotonic(), read_cpu(pid)
    time.sleep(IDLE_SECONDS)
    share = (read_cpu(pid) - cpu) / (time.monotonic() - begin)
    print(f"  while nothing happens              {100 * share:.2f} % of one processor; {state(pid)}", flush=True)


def bench_generations(pid, directory, processes, files):
    """Each with files that were not seen before, of which nothing is left afterwards."""
    descriptors = count_descriptors(pid)
    for generation in range(GENERATIONS):
        cpu = read_cpu(pid)
        people = crowd.Crowd(directory, processes, files, first=(generation + 1) << 16)
        try:
            end = time.monotonic() + SETTLE_SECONDS
            while count_descriptors(pid) < descriptors + files and time.monotonic() < end:
                time.sleep(0.2)
            alive = state(pid)
        finally:
            people.close()
        people.remove_files()
        settle(pid, descriptors)
        print(f"  generation {generation + 1}                       {alive}, then {state(pid)}; "
              f"{read_cpu(pid) - cpu:.1f} s of processor time", flush=True)


def bench(binary, directory, tracer, options):
    """`tracer`: a capture of all modules, not yet started."""
    os.environ["XDG_CACHE_HOME"] = os.path.join(directory, "cache")  # the capture's
    people = crowd.Crowd(directory, options.processes, options.files)
    try:
        print(f"{options.processes} processes with {options.files} files on {os.cpu_count()} processors")
        bench_queries(binary, options.rounds)
        begin = time.monotonic()
        with tracer:
            pid = tracer.process.pid
            print(f"  capture's start                    {read_cpu(pid):.2f} s of processor time, "
                  f"{time.monotonic() - begin:.2f} s by the clock")
            bench_idle(pid)
            people.close()
            people.remove_files()
            settle(pid, options.files)
            print(f"  all ended, their files removed     {state(pid)}")
            bench_generations(pid, directory, options.processes // 4, options.files // 4)
    finally:
        people.close()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Roots of other Debian releases, made once by debootstrap and kept in build/roots, and what is built from source once and
kept in build/sources: for the rows of tests/matrix that need other libraries and programs."""
import contextlib
import fcntl
import glob
import os
import shutil
import subprocess
import tempfile
import unittest

import lab

BUILD = os.path.dirname(lab.OUTPUT)
ALL = ("openssl", "gnutls-bin", "python3", "golang-go", "gcc", "libc6-dev")
PACKAGES = {
    "bullseye": ALL,
    "bookworm": (),
    "trixie": (*ALL, "nginx", "curl"),
    "forky": (*ALL, "nginx", "curl", "caddy"),
    "sid": (),
}
ENTER = """for name in proc sys dev; do mount --rbind /$name "$1/$name"; done
    mkdir -p "$1$2"; mount --bind "$2" "$1$2"; root=$1; shift 2; exec chroot "$root" "$@" """


def extended():
    if not os.environ.get("ECAPTURE_MATRIX"):
        raise unittest.SkipTest("runs with tests/run --matrix")


def mirror():
    """The one that this machine uses."""
    listing = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
                             capture_output=True, text=True, check=False)
    sites = [site for site in listing.stdout.split() if "security" not in site]
    if not sites:
        raise unittest.SkipTest("this machine has no mirror of Debian")
    return sites[0]


def enter(root, directory):
    """The command that enters a root, in a mount namespace in which the directory is there under its own name. The command
    behind it keeps the process's number."""
    return ["unshare", "--mount", "sh", "-ec", ENTER, "sh", root, directory]


def run_or_skip(what, *command):
    run = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    if run.returncode:
        raise unittest.SkipTest(f"{what}: {' '.join((run.stdout + run.stderr)[-300:].split())}")


@contextlib.contextmanager
def locked(directory):
    """Other processes' tests wait: rows of tests/matrix run side by side."""
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(directory + ".lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def bootstrap(suite, root):
    """debootstrap of Debian 12 has no script of its own for later releases; theirs are sid's."""
    shutil.rmtree(root, True)
    os.makedirs(os.path.dirname(root), exist_ok=True)
    run_or_skip(f"debootstrap makes no root of {suite} here", "debootstrap", "--variant=minbase", "--no-check-gpg", suite, root,
                mirror(), "/usr/share/debootstrap/scripts/sid")
    # What apt needs on this machine to get at packages, it needs there too.
    shutil.copytree("/etc/apt/apt.conf.d", os.path.join(root, "etc/apt/apt.conf.d"), dirs_exist_ok=True)
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))


def forbid_servers(root):
    """What a package would start on its installation would be the machine's."""
    policy = os.path.join(root, "usr/sbin/policy-rc.d")
    with open(policy, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)


def apt(root, *commands):
    """Each a line of arguments, after one that brings the lists up to date."""
    lines = [f"apt-get -q -o Acquire::Check-Valid-Until=false {words}" for words in ("update", *commands)]
    with tempfile.TemporaryDirectory() as directory:
        run_or_skip(f"apt-get fails in {root}", *enter(root, directory), "env", "DEBIAN_FRONTEND=noninteractive",
                    "LC_ALL=C.UTF-8", "sh", "-ec", "; ".join(lines))


def make_root(suite, *more):
    """The root's path; it has these packages too."""
    extended()
    lab.need("debootstrap", "apt-get", "chroot", "unshare")
    root = os.path.join(BUILD, "roots", suite)
    with locked(root):
        fill_root(suite, root, more)
    return root


def fill_root(suite, root, more):
    ready, packages = os.path.join(root, "ready"), " ".join(PACKAGES[suite])
    if not os.path.exists(ready):
        bootstrap(suite, root)
    if not os.path.exists(ready) or not lab.file_holds(ready, packages.encode()):
        apt(root, f"install -y --no-install-recommends {packages}", "clean")
        with open(ready, "w", encoding="utf-8") as file:
            file.write(packages)
    installed = os.path.join(root, "var/lib/dpkg/info")
    if missing := [name for name in more if not glob.glob(f"{installed}/{name}.list") + glob.glob(f"{installed}/{name}:*.list")]:
        forbid_servers(root)
        apt(root, f"install -y --no-install-recommends {' '.join(missing)}", "clean")


def get_source(suite, package):
    """The directory of its upstream source."""
    target = os.path.join(BUILD, "sources", f"{package}-{suite}.orig")
    root = make_root(suite)
    with locked(root):
        if not os.path.isdir(target):
            download_source(suite, package, root, target)
    return target


def download_source(suite, package, root, target):
    with open(os.path.join(root, "etc/apt/sources.list.d/source.list"), "w", encoding="utf-8") as file:
        file.write(f"deb-src {mirror()} {suite} main\n")
    apt(root, f"source --download-only {package}")
    tarball, = (path for path in glob.glob(os.path.join(root, f"{package}_*.orig.tar.*")) if not path.endswith(".asc"))
    os.makedirs(target + ".part", exist_ok=True)
    subprocess.run(["tar", "-xf", tarball, "-C", target + ".part", "--strip-components=1"], check=True)
    os.rename(target + ".part", target)


def built_from(path, name, script, *files):
    """Runs the script in a build directory, with the source's directory as its argument, unless the files are there."""
    target = os.path.join(BUILD, "sources", name)
    os.makedirs(target, exist_ok=True)
    if not all(os.path.exists(os.path.join(target, file)) for file in files):
        with open(os.path.join(target, "log"), "w", encoding="utf-8") as log:
            run = subprocess.run(["sh", "-ec", script, "sh", path], cwd=target, stdout=log, stderr=log, check=False)
        if run.returncode:
            raise unittest.SkipTest(f"{name} does not build here: see {target}/log")
    return [os.path.join(target, file) for file in files]


def enter_release(test, suite, *packages):
    """The command that enters a release's root, in which the test's directory has its own name."""
    root = make_root(suite, *packages)
    mount_point = root + test.tmp
    test.defer(lambda: os.path.isdir(mount_point) and os.rmdir(mount_point))
    return enter(root, test.tmp)

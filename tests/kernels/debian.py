# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's packages of any suite and machine, fetched by apt beside those of this system, and roots made of them."""
import glob
import os
import re
import subprocess

MIRRORS = ("http://deb.debian.org/debian", "http://archive.debian.org/debian")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
KERNEL_PACKAGE = re.compile(r"^linux-(image|binary|modules)-\S*\d\.\d\S*$")


class Skip(Exception):
    """Raised with the reason."""


def run(*argv, **kwargs):
    return subprocess.run(argv, capture_output=True, text=True, check=False, **kwargs)


class Apt:
    """apt of one suite and machine, beside the one of this system; suite None: the system's."""

    def __init__(self, folder, suite=None, machine="amd64"):
        self.folder, self.options = folder, []
        if suite:
            self.configure(suite, machine)

    def configure(self, suite, machine):
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        status, sources = os.path.join(self.folder, "status"), os.path.join(self.folder, "sources.list")
        open(status, "w", encoding="ascii").close()
        settings = {"Dir::State": self.folder, "Dir::State::status": status, "Dir::Cache": self.folder + "/cache",
                    "Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": "/dev/null", "APT::Architecture": machine,
                    "APT::Architectures": machine, "Acquire::Languages": "none", "APT::Sandbox::User": "root"}
        self.options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        for mirror in MIRRORS:
            with open(sources, "w", encoding="ascii") as file:
                file.write(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
            update = run("apt-get", *self.options, "-o", "APT::Update::Error-Mode=any", "update")
            if update.returncode == 0:
                return
        raise Skip(f"apt-get update for {suite}: {(update.stderr.strip().splitlines() or ['failed'])[-1]}")

    def depends(self, package):
        text = run("apt-cache", *self.options, "depends", package).stdout
        return re.findall(r"^ +Depends: (\S+)", text, re.MULTILINE)

    def closure(self, package):
        """The packages that hold the kernel and its modules; newer ones are split."""
        found, left = [], [package]
        while left:
            name = left.pop()
            if KERNEL_PACKAGE.match(name):
                found.append(name)
            left += [other for other in self.depends(name) if KERNEL_PACKAGE.match(other) and other not in found]
        return found

    def download_kernel(self, package, folder):
        names = self.closure(package)
        if not names:
            raise Skip(f"apt knows no {package}")
        return self.download(names, folder)

    def download(self, packages, folder):
        """Unpacked, without what they depend on."""
        os.makedirs(folder)
        os.chmod(folder, 0o777)  # apt may download as a user of its own
        get = run("apt-get", *self.options, "download", "-qq", *packages, cwd=folder)
        if get.returncode:
            raise Skip(f"apt-get can't download {' '.join(packages)}")
        root = os.path.join(folder, "root")
        unpack(glob.glob(os.path.join(folder, "*.deb")), root)
        return root

    def make_root(self, packages, root):
        """The packages and all that they depend on, unpacked; nothing of them is run."""
        get = run("apt-get", *self.options, "install", "-qq", "-y", "--no-install-recommends", "--download-only",
                  *packages)
        if get.returncode:
            raise Skip(f"apt-get can't download what the root needs: {get.stderr.strip()[-200:]}")
        unpack(glob.glob(os.path.join(self.folder, "cache/archives/*.deb")), root)


def unpack(packages, root):
    """With /lib and the like as links to those in /usr, and without links that lead out of the root."""
    for name in ("lib", "bin", "sbin"):
        os.makedirs(os.path.join(root, "usr", name), exist_ok=True)
        os.symlink(f"usr/{name}", os.path.join(root, name))
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as data:
            subprocess.run(["tar", "-C", root, "-x", "--keep-directory-symlink"], stdin=data.stdout, check=True)
        if data.returncode:
            raise Skip(f"dpkg-deb can't unpack {package}")
    for folder, folders, files in os.walk(root):
        for path in (os.path.join(folder, name) for name in folders + files):
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                target = os.path.relpath(root + os.readlink(path), folder)
                os.remove(path)
                os.symlink(target, path)

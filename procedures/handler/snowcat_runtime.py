"""The WebAssembly runtime: the package `wasmtime`.

It is one of the procedure's packages or, in an account without a package repository, in a zip among
its imports (`install_offline.sql`). Python cannot import a shared library from a zip, so the zip is
unpacked first.
"""

import atexit
import glob
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import zipfile

from snowcat_fault import LoadError

# The exceptions of the import where the package cannot run.
CANNOT = (ImportError, OSError, RuntimeError, AttributeError)
REMEDY = (
    "install with install_offline.sql of the package (make package-offline), which brings the runtime "
    "with it and asks no package repository"
)


def imports():
    """The folder with the procedure's imports; None outside of a procedure."""
    return sys._xoptions.get("snowflake_import_directory")


def machine():
    """This machine's architecture, as the package's files name it."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def import_wasmtime(directory):
    """Import `wasmtime`, from the zip in this folder if it has one for this machine."""
    if directory is not None and "wasmtime" not in sys.modules:
        archives = sorted(
            glob.glob(os.path.join(glob.escape(directory), f"wasmtime-*-{machine()}.zip"))
        )
        if len(archives) > 1:
            raise LoadError(
                "host", "expected one zip of the runtime among the imports, found several", archives
            )
        for archive in archives:
            sys.path.insert(0, _unpacked(archive))
            importlib.invalidate_caches()
    try:
        import wasmtime.component
    except CANNOT as error:
        why = (
            f"the WebAssembly runtime cannot be imported: {type(error).__name__}: {error}; {REMEDY}"
        )
        raise LoadError("host", why, _found(directory)) from error
    return wasmtime


def _unpacked(archive):
    """A new folder with the zip's files. It is removed when this process ends."""
    name = os.path.basename(archive)
    try:
        with zipfile.ZipFile(archive) as files:
            for member in files.namelist():
                if member.startswith("/") or "\\" in member or ".." in member.split("/"):
                    raise LoadError(
                        "host", f"{name}: expected files below one folder, found {member!r}"
                    )
            folder = tempfile.mkdtemp(prefix="snowcat-runtime-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            files.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise LoadError(
            "host", f"{name} cannot be unpacked: {type(error).__name__}: {error}"
        ) from error
    return folder


def _found(directory):
    """The facts that a report of a runtime that does not run needs."""
    found = [
        f"machine: {platform.machine()}",
        f"system: {sys.platform}",
        f"libc: {' '.join(platform.libc_ver()).strip() or 'unknown'}",
        f"python: {platform.python_version()}",
    ]
    spec = importlib.util.find_spec("wasmtime")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        found.append("wasmtime: not installed")
    for folder in folders:
        tags = []
        for file in glob.glob(
            os.path.join(glob.escape(os.path.dirname(folder)), "wasmtime-*.dist-info", "WHEEL")
        ):
            with open(file, encoding="utf-8") as lines:
                tags += [line.split(":", 1)[1].strip() for line in lines if line.startswith("Tag:")]
        parts = sorted(
            name
            for name in os.listdir(folder)
            if os.path.isdir(os.path.join(folder, name)) and name[0] != "_"
        )
        found += [
            f"wheel: {' '.join(tags) or 'unknown'}",
            f"directories: {' '.join(parts) or 'none'}",
        ]
    if directory is not None:
        zips = sorted(name for name in os.listdir(directory) if name.endswith(".zip"))
        found.append(f"zips among the imports: {' '.join(zips) or 'none'}")
    return found

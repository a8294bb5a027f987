"""`snowcat image`: other programs read the image and run the program in it. The reader in Rust always runs."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("SNOWCAT_PROGRAM", ROOT / "target/debug/snowcat"))
# The exit code of the program in the image.
CODE = 42


def static_program() -> bytes:
    """A static program for x86-64 that exits with the code."""
    # mov edi, CODE; mov eax, 60; syscall
    code = b"\xbf" + struct.pack("<I", CODE) + b"\xb8" + struct.pack("<I", 60) + b"\x0f\x05"
    base, start = 0x400000, 64 + 56
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, base + start, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    size = start + len(code)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096) + code


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> pathlib.Path:
    """The image of that program."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "program").write_bytes(static_program())
    command = [PROGRAM, "image", "image.tar", "--program", "program", "--tag", "test"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "image.tar"


def tool(name: str) -> str:
    """The path of a program, which `apt-get install` has."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return found


def test_a_dynamic_program_is_refused(tmp_path):
    # The tests' own program is dynamic.
    run = subprocess.run([PROGRAM, "image", tmp_path / "image.tar"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "expected a statically linked program, found one that needs /lib" in run.stderr
    assert not (tmp_path / "image.tar").exists()


def test_skopeo_reads_the_image(image):
    command = [tool("skopeo"), "inspect", "--config", f"oci-archive:{image}:test"]
    config = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"]["Entrypoint"] == ["/snowcat"]
    assert config["config"]["User"] == "65532:65532"


def test_skopeo_copies_the_image_with_its_digest(image, tmp_path):
    command = [tool("skopeo"), "--insecure-policy", "copy", f"oci-archive:{image}:test", f"dir:{tmp_path}/copy"]
    subprocess.run(command, capture_output=True, check=True)
    manifest = json.loads((tmp_path / "copy/manifest.json").read_text())
    assert all((tmp_path / "copy" / layer["digest"].split(":")[1]).exists() for layer in manifest["layers"])


def test_the_program_runs_in_the_root_that_umoci_unpacks(image, tmp_path):
    umoci = tool("umoci")
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "-xf", image, "-C", tmp_path / "layout"], check=True)
    rootless = ["--rootless"] if os.getuid() else []
    command = [umoci, "unpack", *rootless, "--image", f"{tmp_path}/layout:test", tmp_path / "bundle"]
    subprocess.run(command, capture_output=True, check=True)
    root = tmp_path / "bundle/rootfs"
    assert [file.name for file in root.iterdir()] == ["snowcat"]
    if os.getuid():
        pytest.skip("chroot needs root")
    assert subprocess.run(["chroot", "--userspec=65532:65532", root, "/snowcat"], check=False).returncode == CODE

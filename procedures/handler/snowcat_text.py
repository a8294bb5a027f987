"""Bytes to text: gzip with any number of members, and the encodings that both hosts support."""

import codecs
import io
import re
import zlib

# The size of a read, and of the first read of a gzip member: the bytes after a member are copied.
READ = 64 << 10
FIRST = 256

# The encodings, and Python's names for them. Both hosts decode the same characters, byte for byte.
CODECS = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "shift_jis": "cp932",
    "koi8-r": "koi8-r",
    "ibm866": "cp866",
    "macintosh": "mac-roman",
    "windows-874": "cp874",
    **{f"iso-8859-{n}": f"iso-8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{n}": f"cp{n}" for n in (1250, 1251, 1252, 1253, 1254, 1256, 1257, 1258)},
}
# Other names for them, with `-` for `_`. ASCII is a part of UTF-8.
ALIASES = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf8": "utf-8",
    "utf16": "utf-16",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "latin1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "l1": "iso-8859-1",
    "latin-9": "iso-8859-15",
    "shift-jis": "shift_jis",
    "sjis": "shift_jis",
    "x-sjis": "shift_jis",
    "cp932": "shift_jis",
    "ms932": "shift_jis",
    "windows-31j": "shift_jis",
    "cp866": "ibm866",
    "macroman": "macintosh",
    "mac-roman": "macintosh",
    "cp874": "windows-874",
}
MARK = "\ufdd0"
# The characters to which Python decodes bytes that are not Shift_JIS.
NO_SHIFT_JIS = "\uf8f0\uf8f1\uf8f2\uf8f3"


def encoding(label):
    """The encoding of this name in `CODECS`, or None."""
    name = label.strip().lower().replace("_", "-")
    name = re.sub("^iso-?8859-?", "iso-8859-", re.sub("^(x-)?cp(?=125[0-8]$)", "windows-", name))
    name = ALIASES.get(name, name)
    return name if name in CODECS else None


def decoded(data, name):
    """The text of bytes in this encoding; a `UnicodeError` if they are not in it."""
    text = data.decode(CODECS[name])
    if name == "shift_jis":
        for character in NO_SHIFT_JIS:
            if (at := text.find(character)) >= 0:
                raise UnicodeDecodeError(
                    name, data, len(text[:at].encode("cp932")), len(data), "no such character"
                )
    return text


def reader(file, label):
    """A function that reads so many characters of a file in this encoding.

    A byte that is no character becomes the mark of the interface (`wit/loads.wit`), so that the
    load can report its line.
    """
    name = encoding(label)
    if name is None:
        raise ValueError(f"expected an encoding that this host knows, found {label!r}")
    codec = CODECS[name]
    if name == "utf-16":  # Python's decoder requires the byte order mark
        head = file.read(2)
        codec = "utf-16-be" if head == codecs.BOM_UTF16_BE else "utf-16-le"
        file = (
            file
            if head in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)
            else io.BufferedReader(Chained(head, file))
        )
    text = io.TextIOWrapper(file, encoding=codec, newline="", errors="snowcat")
    if name != "shift_jis":
        return text.read
    return lambda size: re.sub(f"[{NO_SHIFT_JIS}]", MARK + "\ufffd", text.read(size))


def _marked(error):
    """The mark and the character of each byte's number; U+FFFD for a character of several bytes."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    if error.encoding.startswith(("utf-16", "cp932")):
        return MARK + "\ufffd", error.end
    return "".join(MARK + chr(byte) for byte in bad), error.end


codecs.register_error("snowcat", _marked)


class Chained(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head, rest):
        self._head, self._rest = head, rest

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class Gzip(io.RawIOBase):
    """The content of a gzip stream: its members, with zeros between and after them.

    The time is linear in the size of the stream.
    """

    def __init__(self, file, most=None):
        self._file = file
        self._most = most
        # The members so far, and the one that is read.
        self._members = 0
        self._member = None
        # Compressed bytes that were read ahead, and the size of the next read.
        self._rest = b""
        self._size = FIRST
        self._ended = False

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._ended:
            if self._member is None and not self._begin():
                return 0
            data, self._rest = self._rest or self._file.read(self._size), b""
            self._size = min(2 * self._size, READ)
            found = self._member.decompress(data, len(buffer))
            if not data and not found and not self._member.eof:
                raise EOFError("it ends too early")
            if self._member.eof:
                self._rest, self._member = self._member.unused_data, None
            else:
                self._rest = self._member.unconsumed_tail
            if found:
                buffer[: len(found)] = found
                return len(found)
        return 0

    def take(self, most):
        """At least this many bytes, and at most one read more; fewer at the end."""
        parts, size = [], 0
        while size < most and (part := self.read(READ)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def _begin(self):
        """Begin the next member. Returns `False` at the end of the stream."""
        self._size = FIRST
        while not (self._rest.lstrip(b"\0") if self._members else self._rest):
            self._rest = self._file.read(READ)
            if not self._rest:
                self._ended = True
                return False
        if self._members:
            self._rest = self._rest.lstrip(b"\0")
        self._members += 1
        if self._most is not None and self._members > self._most:
            raise OverflowError(f"it has more than {self._most} members")
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return True

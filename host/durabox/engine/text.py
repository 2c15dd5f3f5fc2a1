"""Legacy text encodings: labels and names of the Encoding Standard, decoding and encoding by Python."""

from __future__ import annotations

import codecs
from functools import cache, lru_cache
from typing import Final

from durabox.engine.ops import GuestError
from durabox.errors import GuestProtocolError

#: Name in the standard → Python codec, labels besides both names. UTF-8 and UTF-16 are the guest's own.
_ENCODINGS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ibm866": ("cp866", ("866", "cp866", "csibm866")),
    "iso-8859-2": (
        "iso8859-2",
        ("csisolatin2", "iso-ir-101", "iso8859-2", "iso88592",
         "iso_8859-2", "iso_8859-2:1987", "l2", "latin2"),
    ),
    "iso-8859-3": (
        "iso8859-3",
        ("csisolatin3", "iso-ir-109", "iso8859-3", "iso88593",
         "iso_8859-3", "iso_8859-3:1988", "l3", "latin3"),
    ),
    "iso-8859-4": (
        "iso8859-4",
        ("csisolatin4", "iso-ir-110", "iso8859-4", "iso88594",
         "iso_8859-4", "iso_8859-4:1988", "l4", "latin4"),
    ),
    "iso-8859-5": (
        "iso8859-5",
        ("csisolatincyrillic", "cyrillic", "iso-ir-144", "iso8859-5",
         "iso88595", "iso_8859-5", "iso_8859-5:1988"),
    ),
    "iso-8859-6": (
        "iso8859-6",
        ("arabic", "asmo-708", "csiso88596e", "csiso88596i", "csisolatinarabic", "ecma-114", "iso-8859-6-e",
         "iso-8859-6-i", "iso-ir-127", "iso8859-6", "iso88596", "iso_8859-6", "iso_8859-6:1987"),
    ),
    "iso-8859-7": (
        "iso8859-7",
        ("csisolatingreek", "ecma-118", "elot_928", "greek", "greek8", "iso-ir-126",
         "iso8859-7", "iso88597", "iso_8859-7", "iso_8859-7:1987", "sun_eu_greek"),
    ),
    "iso-8859-8": (
        "iso8859-8",
        ("csiso88598e", "csisolatinhebrew", "hebrew", "iso-8859-8-e", "iso-ir-138",
         "iso8859-8", "iso88598", "iso_8859-8", "iso_8859-8:1988", "visual"),
    ),
    "iso-8859-8-i": ("iso8859-8", ("csiso88598i", "logical")),
    "iso-8859-10": ("iso8859-10", ("csisolatin6", "iso-ir-157", "iso8859-10", "iso885910", "l6", "latin6")),
    "iso-8859-13": ("iso8859-13", ("iso8859-13", "iso885913")),
    "iso-8859-14": ("iso8859-14", ("iso8859-14", "iso885914")),
    "iso-8859-15": ("iso8859-15", ("csisolatin9", "iso8859-15", "iso885915", "iso_8859-15", "l9")),
    "iso-8859-16": ("iso8859-16", ()),
    "koi8-r": ("koi8-r", ("cskoi8r", "koi", "koi8", "koi8_r")),
    "koi8-u": ("koi8-u", ("koi8-ru",)),
    "macintosh": ("mac-roman", ("csmacintosh", "mac", "x-mac-roman")),
    "windows-874": ("cp874", ("dos-874", "iso-8859-11", "iso8859-11", "iso885911", "tis-620")),
    "windows-1250": ("cp1250", ("cp1250", "x-cp1250")),
    "windows-1251": ("cp1251", ("cp1251", "x-cp1251")),
    "windows-1252": (
        "cp1252",
        ("ansi_x3.4-1968", "ascii", "cp1252", "cp819", "csisolatin1", "ibm819", "iso-8859-1", "iso-ir-100", "iso8859-1",
         "iso88591", "iso_8859-1", "iso_8859-1:1987", "l1", "latin1", "us-ascii", "x-cp1252"),
    ),
    "windows-1253": ("cp1253", ("cp1253", "x-cp1253")),
    "windows-1254": (
        "cp1254",
        ("cp1254", "csisolatin5", "iso-8859-9", "iso-ir-148", "iso8859-9", "iso88599",
         "iso_8859-9", "iso_8859-9:1989", "l5", "latin5", "x-cp1254"),
    ),
    "windows-1255": ("cp1255", ("cp1255", "x-cp1255")),
    "windows-1256": ("cp1256", ("cp1256", "x-cp1256")),
    "windows-1257": ("cp1257", ("cp1257", "x-cp1257")),
    "windows-1258": ("cp1258", ("cp1258", "x-cp1258")),
    "x-user-defined": ("x-user-defined", ()),
    "x-mac-cyrillic": ("mac-cyrillic", ("x-mac-ukrainian",)),
    "gbk": ("gb18030", ("chinese", "csgb2312", "csiso58gb231280", "gb2312", "gb_2312", "gb_2312-80", "iso-ir-58", "x-gbk")),
    "gb18030": ("gb18030", ()),
    "big5": ("big5hkscs", ("big5-hkscs", "cn-big5", "csbig5", "x-x-big5")),
    "euc-jp": ("euc-jp", ("cseucpkdfmtjapanese", "x-euc-jp")),
    "iso-2022-jp": ("iso2022-jp-ext", ("csiso2022jp",)),
    "shift_jis": ("cp932", ("csshiftjis", "ms932", "ms_kanji", "shift-jis", "sjis", "windows-31j", "x-sjis")),
    "euc-kr": (
        "cp949",
        ("cseuckr", "csksc56011987", "iso-ir-149", "korean", "ks_c_5601-1987",
         "ks_c_5601-1989", "ksc5601", "ksc_5601", "windows-949"),
    ),
}  # fmt: skip
_BY_LABEL: Final = {label: name for name, (_, labels) in _ENCODINGS.items() for label in (name, *labels)}
#: Encodings whose characters take several bytes; of all others each byte is a character.
_MULTIBYTE: Final = frozenset({"gbk", "gb18030", "big5", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr"})
#: Where the standard's tables say something else than Python's.
_INSTEAD: Final = {"koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"}, "windows-1255": {0xCA: "\u05ba"}}
_MALFORMED: Final = "\ufffd"
_MOST_TO_ENCODE: Final = 4096
#: What Japanese encoders take for something else.
_JAPANESE: Final = {"\xa5": "\\", "\u203e": "~", "\u2212": "\uff0d"}


def decode_text(label: str, fatal: bool, more: bool, body: bytes) -> str | list[str | int]:
    """
    Op ``decode_text``.

    Args:
        label: A label of the Encoding Standard, lower case.
        fatal: Malformed bytes throw instead of becoming U+FFFD.
        more: The last character may be continued by bytes to come.
        body: The bytes; none asks for the encoding's name.
    Returns:
        The text, or the name (``""`` of what is no encoding); with ``more`` the text and how many bytes at the end are not in it.
    """
    name = _BY_LABEL.get(label, "")
    if not body or not name:
        return name
    pending = 0
    try:
        if name in _MULTIBYTE:
            decoder = codecs.getincrementaldecoder(_ENCODINGS[name][0])("strict" if fatal else "replace")
            text = decoder.decode(body, not more)
            pending = len(decoder.getstate()[0])
        else:
            text = codecs.charmap_decode(body, "strict", _table(name))[0]
            if fatal and _MALFORMED in text:
                raise GuestError("TypeError", "Failed to decode input.")
    except UnicodeDecodeError:
        raise GuestError("TypeError", "Failed to decode input.") from None
    return [text, pending] if more else text


@cache
def _table(name: str) -> str:
    """The character of each byte in an encoding of single bytes."""
    if name == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
    instead = _INSTEAD.get(name, {})
    return "".join(instead.get(byte) or _character(_ENCODINGS[name][0], byte) for byte in range(256))


def _character(codec: str, byte: int) -> str:
    try:
        return bytes([byte]).decode(codec)
    except UnicodeDecodeError:
        # What code pages leave undefined among the control characters is one in the standard.
        return chr(byte) if 0x80 <= byte < 0xA0 else _MALFORMED


def encode_text(name: str, refers: bool, body: bytes) -> bytes | None:
    """
    Op ``encode_text``.

    Args:
        name: An encoding's name in the standard; neither UTF-8 nor UTF-16.
        refers: Characters that the encoding has not become references (``&#8364;``).
        body: The text in UTF-8, at most 4 KiB: each character is looked up.
    Returns:
        The bytes; ``None`` when there are such characters and none may be referred to.
    Raises:
        GuestError: There is no such encoding.
        GuestProtocolError: It is too much text.
    """
    if len(body) > _MOST_TO_ENCODE:
        raise GuestProtocolError(f"{len(body)} bytes to encode at once")
    if name not in _ENCODINGS:
        raise GuestError("RangeError", f"{name!r} is no legacy encoding.")
    pieces: list[bytes] = []
    for character in body.decode("utf-8", "replace"):
        piece = _encoded(name, character)
        if piece is None:
            if not refers:
                return None
            piece = b"&#%d;" % ord(character)
        pieces.append(piece)
    return b"".join(pieces)


@lru_cache(16384)
def _encoded(name: str, character: str) -> bytes | None:
    """A character's bytes, as the standard's encoders give them: they know less than its decoders."""
    if character < "\x80":
        return character.encode("ascii")
    if name not in _MULTIBYTE:
        byte = _table(name).find(character) if character != _MALFORMED else -1
        return bytes([byte]) if byte >= 0 else None
    if name in ("euc-jp", "shift_jis"):
        return _encoded_japanese(name == "shift_jis", _JAPANESE.get(character, character))
    if name == "gbk" and character == "\u20ac":
        return b"\x80"
    for codec in ("big5hkscs", "cp950") if name == "big5" else (_ENCODINGS[name][0],):
        try:
            piece = character.encode(codec)
        except UnicodeEncodeError:
            continue
        # Python writes some characters as others that look like them.
        if piece.decode(codec) == character and len(piece) <= (4 if name == "gb18030" else 2):
            return None if name == "big5" and piece[0] < 0xA1 else piece
    return None


def _encoded_japanese(shifted: bool, character: str) -> bytes | None:
    """Both encodings have one table, of 94 characters a row."""
    if character < "\x80":
        return character.encode("ascii")
    if "\uff61" <= character <= "\uff9f":
        byte = ord(character) - 0xFF61 + 0xA1
        return bytes([byte] if shifted else [0x8E, byte])
    if shifted and character == "\x80":
        return b"\x80"
    pointer = _japanese_table()[shifted].get(character)
    if pointer is None:
        return None
    if not shifted:
        return bytes([pointer // 94 + 0xA1, pointer % 94 + 0xA1])
    lead, trail = divmod(pointer, 188)
    return bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])


@cache
def _japanese_table() -> tuple[dict[str, int], dict[str, int]]:
    """Pointers of the standard's index jis0208, for EUC-JP and for Shift_JIS: of several the first that each of them uses."""
    whole: dict[str, int] = {}
    shifted: dict[str, int] = {}
    for pointer in range(60 * 188):
        lead, trail = divmod(pointer, 188)
        piece = bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])
        character = piece.decode("cp932", "replace")
        if len(character) != 1 or character == _MALFORMED or "\ue000" <= character <= "\uf8ff":
            continue
        if pointer < 94 * 94:
            whole.setdefault(character, pointer)
        if not 8272 <= pointer <= 8835:
            shifted.setdefault(character, pointer)
    return whole, shifted

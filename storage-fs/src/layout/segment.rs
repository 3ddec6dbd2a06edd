//! One segment of a key as one name on disk, or several where it is long.

/// What a directory or file cannot be named on some disk, beside control characters: Windows' list, and our own mark `%`.
const UNSAFE: &[char] = &['%', '/', '<', '>', ':', '"', '\\', '|', '?', '*'];

/// The longest stretch of encoded text in one name, in bytes. Disks take 255; the rest is room for marks and suffixes.
const MAX_BYTES: usize = 200;

/// Ends the name of a directory whose text goes on inside it, and begins the name that goes on.
const HYPHEN: &str = "%-";

/// Begins a name that stands for itself although it would otherwise mean something else.
const VERBATIM: &str = "%=";

/// What the disk does to names, probed when the root was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Folding {
    /// Upper and lower case name the same file.
    pub(crate) case: bool,
    /// Different spellings of one character name the same file.
    pub(crate) unicode: bool,
}

/// What a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A directory.
    Directory,
    /// A file, its name ending in this; where that is empty a file is told from a directory by its dot.
    File(&'static str),
}

/// Appends the names of one segment, joined by `/`.
pub(crate) fn encode(text: &str, verbatim: bool, kind: Kind, folding: Folding, out: &mut String) {
    let mut body = String::with_capacity(text.len() + 8);
    if verbatim {
        body.push_str(VERBATIM);
    }
    escape(text, folding, &mut body);
    let mut rest = body.as_str();
    while rest.len() > MAX_BYTES {
        let (head, tail) = rest.split_at(break_in(rest));
        out.push_str(head);
        out.push_str(HYPHEN);
        out.push('/');
        out.push_str(HYPHEN);
        rest = tail;
    }
    out.push_str(rest);
    match kind {
        Kind::File(suffix) if !suffix.is_empty() => out.push_str(suffix),
        Kind::File(_) if !rest.contains('.') => out.push('%'),
        Kind::Directory if rest.contains('.') => out.push('%'),
        _ => {}
    }
}

/// Whether a directory of this name holds the rest of long names.
pub(crate) fn goes_on(name: &str) -> bool {
    name.ends_with(HYPHEN)
}

/// The text that `names` (those of the directories a long name went through, and its own) stand for, and whether it is verbatim.
/// The caller encodes it again and compares: only then is it a name of ours.
pub(crate) fn decode(continued: &[String], last: &str, kind: Kind) -> Option<(String, bool)> {
    let mut body = String::with_capacity(last.len());
    for (at, name) in continued.iter().enumerate() {
        let name = name.strip_suffix(HYPHEN)?;
        body.push_str(if at == 0 { name } else { name.strip_prefix(HYPHEN)? });
    }
    let last = if continued.is_empty() {
        last
    } else {
        last.strip_prefix(HYPHEN)?
    };
    body.push_str(match kind {
        Kind::File(suffix) if !suffix.is_empty() => last.strip_suffix(suffix)?,
        _ => last.strip_suffix('%').unwrap_or(last),
    });
    let (body, verbatim) = body
        .strip_prefix(VERBATIM)
        .map_or((body.as_str(), false), |rest| (rest, true));
    Some((unescape(body)?, verbatim))
}

/// Whether a name stands for itself, decided without decoding it: the common case of a listing.
pub(crate) fn is_plain(name: &str, kind: Kind, folding: Folding) -> bool {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let plain = |byte: &u8| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => true,
        b'A'..=b'Z' => !folding.case,
        _ => false,
    };
    *first != b'.'
        && *last != b'.'
        && bytes.len() <= MAX_BYTES
        && bytes.iter().all(plain)
        && bytes.contains(&b'.') == (kind == Kind::File(""))
        && matches!(kind, Kind::Directory | Kind::File(""))
        && !is_device(name)
}

fn escape(text: &str, folding: Folding, out: &mut String) {
    if text.is_empty() {
        // No key holds NUL, so its escape is free to mean nothing.
        out.push_str("%00");
        return;
    }
    let guard_first = is_device(text) || text.eq_ignore_ascii_case(super::INTERNAL);
    let last = text.len() - 1;
    for (at, character) in text.char_indices() {
        let unsafe_here = character.is_control()
            || UNSAFE.contains(&character)
            || (at == 0 && guard_first)
            || (at == last && matches!(character, '.' | ' '))
            || (folding.case && character.is_ascii_uppercase())
            || ((folding.case || folding.unicode) && !character.is_ascii());
        if unsafe_here {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                for part in [b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]] {
                    out.push(char::from(part));
                }
            }
        } else {
            out.push(character);
        }
    }
}

fn unescape(body: &str) -> Option<String> {
    if body == "%00" {
        return Some(String::new());
    }
    if !body.contains('%') {
        return Some(body.to_owned());
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            u8::try_from(digit()? << 4 | digit()?).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// The last place within the allowed length that tears neither a character nor an escape.
fn break_in(body: &str) -> usize {
    let mut at = MAX_BYTES;
    while !body.is_char_boundary(at) {
        at -= 1;
    }
    let bytes = body.as_bytes();
    match (bytes[at - 1], bytes[at - 2]) {
        (b'%', _) => at - 1,
        (_, b'%') => at - 2,
        _ => at,
    }
}

/// Whether Windows takes the name for a device, whatever follows its first dot.
fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let is = |name: &str| stem.eq_ignore_ascii_case(name);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
        .into_iter()
        .any(is)
    {
        return true;
    }
    let port = stem
        .get(..3)
        .is_some_and(|port| port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"));
    port && matches!(
        &stem[3..],
        "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
    )
}

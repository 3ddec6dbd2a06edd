//! From keys to paths and back: injective, and such that no service takes two paths for one.
//!
//! A segment keeps `a-z`, `0-9`, `-`, `_` and `.`; all else is `%xx`, byte by byte, and so are `.` and `..` and a dot at the end. A file's
//! name without a dot, and a directory's with one, get a trailing `%`; an empty directory's is `%%`. A name over [`PART`] bytes is cut into
//! directories that end in `+`.

use storage_core::{Area, Key};

/// A name is cut into parts of so many bytes: no service and no disk has a shorter limit than 255.
const PART: usize = 200;

/// Where the overlay's objects are. No key's first segment has this path, because `~` is escaped in keys.
const OVERLAY: &str = "~overlay/";

/// Where the probe works.
pub(crate) const PROBE: &str = "~probe/";

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The directory of an area, which ends in `/`, or is the root.
pub(crate) const fn area(area: Area) -> &'static str {
    match area {
        Area::Objects => "",
        Area::Overlay => OVERLAY,
    }
}

/// The path of a key.
pub(crate) fn path(of: Area, key: &Key) -> String {
    let mut path = area(of).to_owned();
    let mut segments = key.as_str().split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_file = segments.peek().is_none();
        push(&mut path, segment, is_file);
        if !is_file {
            path.push('/');
        }
    }
    path
}

/// The directory below which every key with this prefix is.
pub(crate) fn directory(of: Area, prefix: &str) -> String {
    let mut path = area(of).to_owned();
    if let Some((directories, _)) = prefix.rsplit_once('/') {
        for segment in directories.split('/') {
            push(&mut path, segment, false);
            path.push('/');
        }
    }
    path
}

/// The key of a path; `None` for a path no key has.
pub(crate) fn key(of: Area, path: &str) -> Option<Key> {
    let below = path.strip_prefix(area(of))?;
    let mut text = String::new();
    let mut name = String::new();
    let mut parts = below.split('/').peekable();
    while let Some(part) = parts.next() {
        match part.strip_suffix('+') {
            Some(begun) if parts.peek().is_some() => {
                name.push_str(begun);
                continue;
            }
            _ => name.push_str(part),
        }
        text.push_str(&decode(&name)?);
        name.clear();
        if parts.peek().is_some() {
            text.push('/');
        }
    }
    let key = Key::new(text).ok()?;
    // There is one path for each key, and every other way to write it is somebody else's.
    (self::path(of, &key) == path).then_some(key)
}

fn push(path: &mut String, segment: &str, is_file: bool) {
    let mut name = encode(segment);
    if name.is_empty() && !is_file {
        name.push('%');
    }
    if name.is_empty() || name.contains('.') != is_file || (!is_file && name == "%") {
        name.push('%');
    }
    let mut rest = name.as_str();
    while rest.len() > PART {
        // Never within an escape, nor right before the mark at the end.
        let mut at = PART;
        while rest[..at].ends_with('%') || rest[..at - 1].ends_with('%') {
            at -= 1;
        }
        let (part, after) = rest.split_at(at);
        path.push_str(part);
        path.push_str("+/");
        rest = after;
    }
    path.push_str(rest);
}

fn encode(segment: &str) -> String {
    let mut name = String::with_capacity(segment.len());
    let bytes = segment.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_last = at + 1 == bytes.len();
        let is_kept = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => true,
            b'.' => {
                !is_last && !bytes[..at].iter().all(|before| *before == b'.')
                    || (!is_last && at == 0 && bytes[1] != b'.')
            }
            _ => false,
        };
        if is_kept {
            name.push(char::from(*byte));
        } else {
            name.push('%');
            name.push(char::from(HEX[usize::from(byte >> 4)]));
            name.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    name
}

fn decode(name: &str) -> Option<String> {
    let name = if name == "%%" {
        ""
    } else {
        name.strip_suffix('%').unwrap_or(name)
    };
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digit = |digit: &u8| HEX.iter().position(|known| known == digit);
            bytes.push(u8::try_from(digit(&digits[0])? << 4 | digit(&digits[1])?).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(key: &str) -> String {
        path(Area::Objects, &Key::new(key).unwrap())
    }

    #[test]
    fn a_person_finds_what_was_written() {
        assert_eq!(of("notes/a.txt"), "notes/a.txt");
        assert_eq!(of("blocks/0a1b.bin"), "blocks/0a1b.bin");
        assert_eq!(of("a"), "a%");
        assert_eq!(of("a/b"), "a/b%");
        assert_eq!(of("v1.2/readme"), "v1.2%/readme%");
        assert_eq!(of("A"), "%41%");
        assert_eq!(of(".hidden"), ".hidden");
    }

    #[test]
    fn no_path_navigates_and_none_is_the_librarys_own() {
        for key in [
            "..",
            "../../x",
            ".",
            "./a",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "~overlay/x",
            "~probe/x",
            "a.",
            "b..",
            "c/",
        ] {
            let path = of(key);
            assert!(
                path.split('/')
                    .all(|part| !part.is_empty() && !part.ends_with('.')),
                "{key:?} is {path:?}"
            );
            assert!(!path.starts_with('~'), "{key:?} is {path:?}");
            assert_eq!(super::key(Area::Objects, &path).unwrap().as_str(), key);
        }
    }

    #[test]
    fn foreign_names_are_nobodys() {
        for path in [
            "Photo.JPG",
            "a",
            "a.txt%",
            "a b.txt",
            "%41.txt%",
            "%6a.txt",
            "x/",
            "a//b.txt",
            "é.txt",
            "%e9.txt",
            "a+/b.txt",
        ] {
            assert_eq!(key(Area::Objects, path), None, "{path}");
        }
        assert_eq!(key(Area::Overlay, "a%"), None);
    }

    proptest! {
        #[test]
        fn every_key_comes_back_from_its_path(text in "[a-zA-Z0-9./%+~ éü_-]{1,600}|[a.]{1,8}(/[a.]{0,4}){0,3}") {
            let key = Key::new(text).unwrap();
            for area in [Area::Objects, Area::Overlay] {
                let path = path(area, &key);
                prop_assert!(path.split('/').all(|part| part.len() <= PART + 2), "{}", path);
                prop_assert_eq!(super::key(area, &path), Some(key.clone()), "{}", path);
            }
        }

        #[test]
        fn a_directory_holds_every_key_with_its_prefix(text in "[a-z.]{1,8}(/[a-z.]{1,8}){0,3}", at in any::<prop::sample::Index>()) {
            let key = Key::new(&*text).unwrap();
            let prefix = &text[..at.index(text.len() + 1)];
            let directory = directory(Area::Objects, prefix);
            prop_assert!(path(Area::Objects, &key).starts_with(&directory), "{} in {}", text, directory);
        }
    }
}

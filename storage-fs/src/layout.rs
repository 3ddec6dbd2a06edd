//! Which file a key is, and which key a file is. Nothing here touches the disk.
//!
//! Users' objects stand right under the root, everything of ours under [`INTERNAL`]. A segment of a key stays itself where it can:
//!
//! | segment | on disk |
//! |---|---|
//! | file with a dot, directory without | itself: `notes/a.txt` |
//! | file without a dot, directory with one | and a `%` behind: `notes/readme%`, `v1.2%/a.txt` |
//! | unsafe bytes, and `%` itself | `%XX` |
//! | nothing | `%00` |
//! | long, over 200 bytes | continued in a directory: `…%-/%-…` |
//!
//! So `a` (the file `a%`) and `a/b` (in the directory `a`) stand side by side, and no two keys share a file. Documents are kept
//! under the overlay's escaped keys; they are unescaped first, so that a person finds `documents/users/ada.json`. Index entries are
//! flat below their value: `entries/<generation>/<value>/<id>%2F<nonce>%`.

mod segment;
#[cfg(test)]
mod tests;

use storage_core::value::{escape, unescape};
use storage_core::{Area, Name};

use self::segment::Kind;
pub(crate) use self::segment::{Folding, goes_on};

/// The directory everything of ours lives in. No key of a user encodes to it.
pub(crate) const INTERNAL: &str = ".storage";

/// Where logs are, under the root.
pub(crate) const LOGS: &str = ".storage/logs";

/// The ending of a log's file.
const LOG_SUFFIX: &str = ".jsonl";

/// What stands in [`INTERNAL`] beside the overlay's keys.
const RESERVED: &[&str] = &["format.json", "staging", "locks", "logs"];

/// Between keys and paths, on a disk that does this to names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    folding: Folding,
}

/// A file's path under the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    path: String,
    file_at: usize,
}

impl Place {
    pub(crate) fn new(path: String) -> Self {
        let file_at = path.rfind('/').map_or(0, |slash| slash + 1);
        Self { path, file_at }
    }

    /// The whole path under the root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The directory the file is in; empty for the root.
    pub(crate) fn directory(&self) -> &str {
        self.path[..self.file_at].trim_end_matches('/')
    }

    /// The file's name in it.
    pub(crate) fn file(&self) -> &str {
        &self.path[self.file_at..]
    }
}

/// The rules for the names in one directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// Users' objects.
    Objects,
    /// The top of the overlay, beside our own files.
    Top,
    /// The overlay's keys as they are.
    Plain,
    /// The overlay's documents: unescaped, with a suffix.
    Documents,
    /// The generations of index entries.
    Generations,
    /// The values of one generation.
    Values,
    /// What is below one value: the rest of a key is one name, so that an entry costs one directory and not two.
    Flat,
}

impl Space {
    /// The rules at the top of an area.
    pub(crate) const fn top(area: Area) -> Self {
        match area {
            Area::Objects => Self::Objects,
            Area::Overlay => Self::Top,
        }
    }

    /// The rules inside a directory.
    pub(crate) fn within(self, segment: &str) -> Self {
        match self {
            Self::Top if segment == "documents" => Self::Documents,
            Self::Top if segment == "entries" => Self::Generations,
            Self::Top => Self::Plain,
            Self::Generations => Self::Values,
            Self::Values => Self::Flat,
            other => other,
        }
    }

    const fn file_kind(self) -> Kind {
        match self {
            Self::Documents => Kind::File(".json"),
            _ => Kind::File(""),
        }
    }
}

impl Layout {
    pub(crate) const fn new(folding: Folding) -> Self {
        Self { folding }
    }

    /// Where a key is.
    pub(crate) fn place(&self, area: Area, key: &str) -> Place {
        let (mut path, space, inside) = self.directory(area, key);
        if !path.is_empty() {
            path.push('/');
        }
        self.encode(space, &key[inside..], space.file_kind(), &mut path);
        Place::new(path)
    }

    /// The deepest directory that holds every key that begins with this, its rules, and how many bytes of the text are its own.
    pub(crate) fn directory(&self, area: Area, prefix: &str) -> (String, Space, usize) {
        let mut path = String::with_capacity(prefix.len() + 32);
        if area == Area::Overlay {
            path.push_str(INTERNAL);
        }
        let mut space = Space::top(area);
        let mut inside = 0;
        while space != Space::Flat
            && let Some(end) = prefix[inside..].find('/')
        {
            let segment = &prefix[inside..inside + end];
            if !path.is_empty() {
                path.push('/');
            }
            self.encode(space, segment, Kind::Directory, &mut path);
            space = space.within(segment);
            inside += end + 1;
        }
        (path, space, inside)
    }

    /// Where a log is.
    pub(crate) fn log(&self, name: &Name) -> Place {
        let mut path = format!("{LOGS}/");
        segment::encode(
            name.as_str(),
            false,
            Kind::File(LOG_SUFFIX),
            self.folding,
            &mut path,
        );
        Place::new(path)
    }

    /// The segment a directory entry stands for; `None` where it is not ours. `continued` are the directories a long name went
    /// through.
    pub(crate) fn segment(
        &self,
        space: Space,
        continued: &[String],
        name: &str,
        directory: bool,
    ) -> Option<String> {
        let kind = if directory {
            Kind::Directory
        } else {
            space.file_kind()
        };
        if continued.is_empty() && space == Space::Objects && segment::is_plain(name, kind, self.folding) {
            return Some(name.to_owned());
        }
        if directory && space == Space::Flat {
            return None;
        }
        let (text, verbatim) = segment::decode(continued, name, kind)?;
        let text = if space == Space::Documents && !verbatim {
            escape(text.as_bytes())
        } else {
            text
        };
        // An escaped slash is part of a name only where names are the rest of a key.
        if text.contains('/') && space != Space::Flat {
            return None;
        }
        let mut again = String::with_capacity(name.len());
        self.encode(space, &text, kind, &mut again);
        is_joined(&again, continued, name).then_some(text)
    }

    /// The log a file stands for; `None` where it is none.
    pub(crate) fn log_name(&self, continued: &[String], name: &str) -> Option<Name> {
        let (text, _) = segment::decode(continued, name, Kind::File(LOG_SUFFIX))?;
        let mut again = String::with_capacity(name.len());
        segment::encode(&text, false, Kind::File(LOG_SUFFIX), self.folding, &mut again);
        is_joined(&again, continued, name)
            .then(|| Name::new(text).ok())
            .flatten()
    }

    fn encode(&self, space: Space, text: &str, kind: Kind, out: &mut String) {
        let verbatim = match space {
            Space::Objects | Space::Plain | Space::Generations | Space::Values | Space::Flat => false,
            Space::Top => RESERVED
                .iter()
                .any(|reserved| text.eq_ignore_ascii_case(reserved)),
            Space::Documents => match unescape(text).map(String::from_utf8) {
                Ok(Ok(plain)) if !plain.contains('\0') => {
                    return segment::encode(&plain, false, kind, self.folding, out);
                }
                _ => true,
            },
        };
        segment::encode(text, verbatim, kind, self.folding, out);
    }
}

/// Whether `whole` is these names joined by `/`.
fn is_joined(whole: &str, continued: &[String], last: &str) -> bool {
    let mut rest = whole;
    for name in continued {
        match rest
            .strip_prefix(name.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
        {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest == last
}

//! Faults of names: each is another place where some media write what they were not asked for.

use async_trait::async_trait;
use storage_core::*;

use crate::frame::Fault;

/// A fault that stores a key under another name.
macro_rules! renames {
    ($($(#[$doc:meta])* $fault:ident($key:ident) $renamed:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            struct $fault;

            impl $fault {
                fn renamed($key: &Key) -> Result<Key> {
                    let renamed: String = $renamed;
                    // A name that would vanish stays as it was.
                    if renamed.is_empty() { Ok($key.clone()) } else { Key::new(renamed) }
                }
            }

            #[async_trait]
            impl Fault for $fault {
                async fn read(&self, memory: &Memory, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
                    memory.read(area, &Self::renamed(key)?, request).await
                }

                async fn write(
                    &self,
                    memory: &Memory,
                    area: Area,
                    key: &Key,
                    bytes: Bytes,
                    request: WriteRequest,
                ) -> Result<Version> {
                    memory.write(area, &Self::renamed(key)?, bytes, request).await
                }

                async fn stat(&self, memory: &Memory, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
                    memory.stat(area, &Self::renamed(key)?).await
                }

                async fn delete(&self, memory: &Memory, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
                    memory.delete(area, &Self::renamed(key)?, request).await
                }
            }
        )+
    };
}

renames! {
    /// A file system that folds case.
    FoldsCase(key) key.as_str().to_lowercase();
    /// A path library that tidies up.
    TidiesSlashes(key) key.as_str().replace("//", "/");
    /// Windows, where a name ends before its last dots and spaces.
    TrimsDotsAndSpaces(key) key.as_str().trim_end_matches(['.', ' ']).to_owned();
    /// A client that decodes what was never encoded.
    DecodesPercent(key) key.as_str().replace("%2F", "/");
    /// An escape that does not escape its own mark: `%25` and `%` are stored alike.
    EscapesNotItself(key) key.as_str().replace("%25", "%");
    /// macOS, composing what was decomposed.
    Composes(key) key.as_str().replace("e\u{301}", "é");
    /// A medium that cuts long names.
    CutsLongNames(key) key.as_str().chars().take(255).collect();
    /// A directory library that goes up.
    GoesUp(key) key.as_str().trim_start_matches("../").to_owned();
}

/// Hides names it takes for its own.
#[derive(Debug, Default)]
struct HidesWhatLooksInternal;

#[async_trait]
impl Fault for HidesWhatLooksInternal {
    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut page = memory.list(area, request).await?;
        page.entries
            .retain(|entry| !entry.name().ends_with(".tmp") && !entry.name().starts_with(".storage"));
        Ok(page)
    }
}

/// A tree where a name is a file or a directory, never both.
#[derive(Debug, Default)]
struct FileOrDirectory;

#[async_trait]
impl Fault for FileOrDirectory {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let under = memory.list(area, ListRequest::new(format!("{key}/"))).await?;
        let mut occupied = !under.entries.is_empty();
        for (at, _) in key.as_str().match_indices('/').filter(|(at, _)| *at > 0) {
            occupied |= memory
                .stat(area, &Key::new(&key.as_str()[..at])?)
                .await?
                .is_some();
        }
        if occupied {
            return Err(Error::new(ErrorKind::Io, "not a directory"));
        }
        memory.write(area, key, bytes, request).await
    }
}

crate::found! {
    FileOrDirectory: 2,
}

mod killed {
    crate::kills! {
        FoldsCase: "names.case-sensitive";
        TidiesSlashes: "names.weird-table-roundtrip", "names.file-and-directory-of-the-same-name";
        TrimsDotsAndSpaces: "names.windows-reserved", "names.weird-table-roundtrip";
        DecodesPercent: "names.weird-table-roundtrip", "names.escape-is-injective";
        EscapesNotItself: "names.weird-table-roundtrip", "names.escape-is-injective";
        Composes: "names.nfc-nfd-distinct";
        CutsLongNames: "names.long-segments", "limits.object-key-at-and-over";
        GoesUp: "names.traversal-is-data";
        HidesWhatLooksInternal: "names.looks-internal";
        FileOrDirectory: "names.file-and-directory-of-the-same-name";
    }
}

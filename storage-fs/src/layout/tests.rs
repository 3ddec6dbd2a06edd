use std::collections::HashMap;

use proptest::prelude::*;
use storage_core::value::escape_str;
use storage_core::{Area, Name};

use super::{Folding, Layout, Space, goes_on};

const PLAIN: Folding = Folding {
    case: false,
    unicode: false,
};
const FOLDING: Folding = Folding {
    case: true,
    unicode: true,
};

/// Reads a path back to its key by the same steps a listing takes.
fn key_of(layout: Layout, area: Area, path: &str) -> Option<String> {
    let names: Vec<&str> = path.split('/').collect();
    let names = if area == Area::Overlay {
        names.strip_prefix(&[".storage"])?
    } else {
        &names
    };
    let mut space = Space::top(area);
    let mut continued = Vec::new();
    let mut key = String::new();
    for (at, name) in names.iter().enumerate() {
        if goes_on(name) {
            continued.push((*name).to_owned());
            continue;
        }
        let directory = at + 1 < names.len();
        let segment = layout.segment(space, &continued, name, directory)?;
        continued.clear();
        key.push_str(&segment);
        if directory {
            key.push('/');
            space = space.within(&segment);
        }
    }
    Some(key)
}

fn path(key: &str) -> String {
    Layout::new(PLAIN).place(Area::Objects, key).path().to_owned()
}

#[test]
fn readable_keys_stay_themselves() {
    for key in [
        "blocks/00ff.bin",
        "channels/04ab/ff.bin",
        "notes/a.txt",
        "é/ü.txt",
        ".hidden.txt",
        "a b/c d.txt",
    ] {
        assert_eq!(path(key), key);
    }
}

#[test]
fn what_a_disk_would_misread_is_escaped() {
    let table = [
        ("a", "a%"),
        ("a/b", "a/b%"),
        ("v1.2/b.txt", "v1.2%/b.txt"),
        ("%", "%25%"),
        ("", "%00%"),
        ("a//b.c", "a/%00/b.c"),
        ("..", ".%2E"),
        (".", "%2E%"),
        ("../etc/passwd", ".%2E%/etc/passwd%"),
        ("./x.y", "%2E/x.y"),
        ("C:\\x", "C%3A%5Cx%"),
        ("con", "%63on%"),
        ("CON.txt", "%43ON.txt"),
        ("com¹.txt", "%63om¹.txt"),
        ("lpt9 .x", "%6Cpt9 .x"),
        ("company.txt", "company.txt"),
        ("end.", "end%2E%"),
        ("end /x.y", "end%20/x.y"),
        ("a\u{1}b.c", "a%01b.c"),
        (".storage", "%2Estorage%"),
        (".storage/format.json", "%2Estorage/format.json"),
        (".STORAGE/locks/00", "%2ESTORAGE/locks/00%"),
    ];
    for (key, expected) in table {
        assert_eq!(path(key), expected, "{key:?}");
    }
}

#[test]
fn documents_read_as_files_a_person_expects() {
    let layout = Layout::new(PLAIN);
    let of = |key: &str| layout.place(Area::Overlay, key).path().to_owned();
    assert_eq!(of("documents/users/ada"), ".storage/documents/users/ada.json");
    assert_eq!(
        of(&format!("documents/users/{}", escape_str("a.b/c"))),
        ".storage/documents/users/a.b%2Fc.json"
    );
    // Not an escape the overlay writes: kept apart from the one that is.
    assert_eq!(of("documents/users/a.b"), ".storage/documents/users/%=a.b.json");
    for reserved in ["logs/a/head", "locks/00", "staging/x", "format.json"] {
        assert!(of(reserved).starts_with(".storage/%="), "{reserved}");
        assert_eq!(
            key_of(layout, Area::Overlay, &of(reserved)).as_deref(),
            Some(reserved)
        );
    }
}

#[test]
fn foreign_names_are_nobodys_key() {
    let layout = Layout::new(PLAIN);
    for foreign in [
        "a", "a.txt%", "%41.txt", "con.txt", "end.", "%zz.txt", "%2e%", "%00", "%-a.b", "%=a.b", "a%2Fb.c",
    ] {
        assert_eq!(
            layout.segment(Space::Objects, &[], foreign, false),
            None,
            "{foreign:?}"
        );
    }
    for foreign in [".storage", "a.b", "a%", "%-"] {
        assert_eq!(
            layout.segment(Space::Objects, &[], foreign, true),
            None,
            "{foreign:?}"
        );
    }
}

#[test]
fn case_is_escaped_where_the_disk_folds_it() {
    let place = Layout::new(FOLDING).place(Area::Objects, "Notes/Été.txt");
    assert_eq!(place.path(), "%4Eotes/%C3%89t%C3%A9.txt");
}

/// Keys made of what is likely to go wrong, short and long.
fn keys() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-cA-C.%/ =-]{0,3}",
        1 => prop::sample::select(vec!["con", "NUL", ".storage", "..", "%25", "%-", "%=", "documents", "é", "\u{85}", "\u{7f}", "logs"])
            .prop_map(str::to_owned),
        1 => "[^\0]{0,4}",
        1 => prop::sample::select(vec!["x".repeat(199), "%".repeat(70), "ü".repeat(101), "/".repeat(300)]),
    ];
    prop::collection::vec(piece, 1..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("keys are not empty and end", |key| {
            !key.is_empty() && key.len() <= 1024
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_key_comes_back_from_its_path(key in keys(), case: bool, unicode: bool, overlay: bool, top in prop::option::of(prop::sample::select(vec!["documents", "entries", "entries/g/v", "claims"]))) {
        let layout = Layout::new(Folding { case, unicode });
        let area = if overlay { Area::Overlay } else { Area::Objects };
        let key = top.map_or(key.clone(), |top| format!("{top}/{key}"));
        let place = layout.place(area, &key);
        prop_assert_eq!(key_of(layout, area, place.path()), Some(key));
        for name in place.path().split('/') {
            prop_assert!(!name.is_empty() && name.len() <= 255 && name != "." && name != "..", "{:?}", name);
            prop_assert!(!name.ends_with(['.', ' ']));
        }
        if area == Area::Objects {
            prop_assert!(!place.path().split('/').next().unwrap().eq_ignore_ascii_case(".storage"));
        }
    }

    #[test]
    fn no_two_keys_share_a_path_or_need_a_file_as_a_directory(keys in prop::collection::hash_set(keys(), 2..12)) {
        let layout = Layout::new(FOLDING);
        let mut paths = HashMap::new();
        for key in &keys {
            let path = layout.place(Area::Objects, key).path().to_ascii_lowercase();
            prop_assert_eq!(paths.insert(path, key.clone()), None);
        }
        for path in paths.keys() {
            for (at, _) in path.match_indices('/') {
                prop_assert!(!paths.contains_key(&path[..at]), "{} is a file and a directory", &path[..at]);
            }
        }
    }

    #[test]
    fn every_log_name_comes_back_from_its_file(name in keys()) {
        let layout = Layout::new(FOLDING);
        let place = layout.log(&Name::new(&name).unwrap());
        let mut names: Vec<String> = place.path().strip_prefix(".storage/logs/").unwrap().split('/').map(str::to_owned).collect();
        let last = names.pop().unwrap();
        prop_assert_eq!(layout.log_name(&names, &last).map(|name| name.to_string()), Some(name));
    }
}

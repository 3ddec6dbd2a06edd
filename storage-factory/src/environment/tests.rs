use storage_core::{ErrorKind, Memory};

use super::*;

/// A factory that has files and memory, whatever this build has.
fn factory() -> Factory {
    let memory = |_| async { Ok(Memory::new()) };
    Factory::empty().register("memory", memory).register("fs", memory)
}

fn choose(variables: &[(&str, &str)]) -> Result<Choice> {
    choose_with(&factory(), variables)
}

fn choose_with(factory: &Factory, variables: &[(&str, &str)]) -> Result<Choice> {
    factory.choose_from(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn nothing_set_selects_files_in_data() {
    let choice = choose(&[]).unwrap();
    assert_eq!(choice.urls().0.with_secrets(), "fs:./data");
    assert!(choice.decided_by().is_empty());
    assert_eq!(choice.to_string(), "fs:./data, by default");
}

#[test]
fn storage_url_wins_over_everything() {
    let choice = choose(&[
        ("STORAGE_URL", "memory:"),
        ("STORAGE_OBJECTS_URL", "nonsense"),
        ("MONGODB_URL", "mongodb://host/db"),
        ("STORAGE_DATA_DIR", "/srv"),
    ])
    .unwrap();
    assert_eq!(choice.to_string(), "memory:, by STORAGE_URL");
    assert_eq!(
        choice.ignored(),
        ["STORAGE_OBJECTS_URL", "MONGODB_URL", "STORAGE_DATA_DIR"]
    );
}

#[test]
fn the_pair_wins_over_the_rest_and_needs_both() {
    let both = [
        ("STORAGE_OBJECTS_URL", "fs:./o"),
        ("STORAGE_DOCUMENTS_URL", "memory:"),
        ("STORAGE_DATA_DIR", "x"),
    ];
    let choice = choose(&both).unwrap();
    assert_eq!(
        choice.decided_by(),
        ["STORAGE_OBJECTS_URL", "STORAGE_DOCUMENTS_URL"]
    );
    assert_eq!(choice.ignored(), ["STORAGE_DATA_DIR"]);
    for one in &both[..2] {
        let error = choose(&[*one]).unwrap_err().to_string();
        assert!(
            error.contains("STORAGE_OBJECTS_URL") && error.contains("STORAGE_DOCUMENTS_URL"),
            "{error}"
        );
    }
}

#[test]
fn a_data_directory_is_a_path_and_selects_files() {
    for path in ["./elsewhere", "/srv/100%", "a?b#c"] {
        let choice = choose(&[("STORAGE_DATA_DIR", path)]).unwrap();
        assert_eq!((choice.urls().0.scheme(), choice.urls().0.path()), ("fs", path));
        assert_eq!(choice.decided_by(), ["STORAGE_DATA_DIR"]);
    }
}

#[test]
fn mongodb_is_never_silently_files() {
    for name in ["MONGODB_URL", "MONGODB_URI"] {
        let error = choose(&[(name, "mongodb://ada:hunter2@host/cvm")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = error.to_string();
        assert!(
            text.contains("feature `mongo`") && text.contains(name) && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn mongodb_is_chosen_where_it_is_registered() {
    let factory = factory().register("mongodb", |_| async { Ok(Memory::new()) });
    let choice = choose_with(&factory, &[("MONGODB_URI", "mongodb://host/cvm")]).unwrap();
    assert_eq!(
        (choice.decided_by(), choice.urls().0.path()),
        (&["MONGODB_URI"][..], "/cvm")
    );
    let same = [
        ("MONGODB_URI", "mongodb://host/cvm"),
        ("MONGODB_URL", "mongodb://host/cvm"),
    ];
    assert_eq!(
        choose_with(&factory, &same).unwrap().decided_by(),
        ["MONGODB_URL", "MONGODB_URI"]
    );
}

#[test]
fn contradictions_are_errors_that_name_both() {
    let mongo = "mongodb://ada:hunter2@host/db";
    for (variables, names) in [
        (
            [("MONGODB_URL", mongo), ("STORAGE_DATA_DIR", "x")],
            ["MONGODB_URL", "STORAGE_DATA_DIR"],
        ),
        (
            [("MONGODB_URI", mongo), ("STORAGE_DATA_DIR", "x")],
            ["MONGODB_URI", "STORAGE_DATA_DIR"],
        ),
        (
            [("MONGODB_URL", mongo), ("MONGODB_URI", "mongodb://other")],
            ["MONGODB_URL", "MONGODB_URI"],
        ),
    ] {
        let error = choose(&variables).unwrap_err();
        let text = error.to_string();
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[test]
fn a_variable_that_is_set_but_empty_or_no_url_is_an_error_that_names_it() {
    for Variable { name, .. } in VARIABLES {
        let error = choose(&[(name, "")]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("empty"), "{error}");
    }
    let error = choose(&[("STORAGE_URL", "./data")]).unwrap_err().to_string();
    assert!(
        error.contains("STORAGE_URL") && error.contains("fs:./data"),
        "{error}"
    );
    let error = choose(&[("MONGODB_URL", "host:27017")]).unwrap_err().to_string();
    assert!(
        error.contains("MONGODB_URL") && error.contains("mongodb://"),
        "{error}"
    );
}

#[test]
fn without_files_the_default_names_the_feature() {
    let error = choose_with(&Factory::empty(), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("feature `fs`"), "{error}");
}

#[tokio::test]
async fn an_opening_that_fails_names_the_variable() {
    let factory = factory().register("broken", |_| async {
        Err::<Memory, _>(Error::new(ErrorKind::Unavailable, "the server does not answer"))
    });
    let open = factory.open_from(|name| (name == "STORAGE_URL").then(|| "broken:x".to_owned()));
    let error = open.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "open the storage of STORAGE_URL \"broken:x\" on broken: the server does not answer"
    );
}

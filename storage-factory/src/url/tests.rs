use super::*;

fn parts(text: &str) -> (String, Option<String>, String) {
    let url = StorageUrl::parse(text).unwrap();
    (url.scheme, url.authority, url.path)
}

#[test]
fn a_path_is_what_follows_the_scheme_or_three_slashes() {
    for (text, path) in [
        ("fs:./data", "./data"),
        ("fs:data", "data"),
        ("FS:/srv/data", "/srv/data"),
        ("fs:///srv/data", "/srv/data"),
        ("fs:./a%20b%3F", "./a b?"),
        ("fs:./a+b", "./a+b"),
        ("fs::memory:", ":memory:"),
        ("fs:", ""),
        ("fs://", ""),
    ] {
        assert_eq!(parts(text), ("fs".into(), None, path.into()), "{text}");
    }
    assert_eq!(
        parts("s3://bucket/a"),
        ("s3".into(), Some("bucket".into()), "/a".into())
    );
}

#[test]
fn what_is_no_url_is_refused_with_the_way_out() {
    for (text, hint) in [
        ("", "empty"),
        ("./data", "fs:./data"),
        ("1fs:x", "no scheme"),
        ("fs:./a#b", "%23"),
        ("fs:./100%", "%25"),
        ("fs:./%zz", "%25"),
        ("fs:./%ff", "UTF-8"),
        ("fs:./%00", "NUL"),
        ("fs:./x?create", "name=value"),
        ("fs:./x?create=true&create=false", "twice"),
    ] {
        let error = StorageUrl::parse(text).unwrap_err();
        assert!(error.to_string().contains(hint), "{text}: {error}");
    }
}

#[test]
fn a_path_taken_as_it_is_survives_the_text() {
    for path in ["./data", "/srv/a b", "//double", "100%?#", "a\nb", "ü"] {
        let url = StorageUrl::from_path("fs", path);
        assert_eq!(url.path(), path);
        let again = StorageUrl::parse(url.with_secrets()).unwrap();
        assert_eq!(again.path(), path, "{}", url.with_secrets());
    }
    let url = StorageUrl::parse("fs:./a?create=false")
        .unwrap()
        .with_path("./b?");
    assert_eq!(url.with_secrets(), "fs:./b%3F?create=false");
    assert_eq!(url.options().collect::<Vec<_>>(), [("create", "false")]);
    let url = StorageUrl::parse("s3://ada:secret@bucket/a?region=x")
        .unwrap()
        .with_path("/a/b c");
    assert_eq!(
        url,
        StorageUrl::parse("s3://ada:secret@bucket/a/b c?region=x").unwrap()
    );
}

#[test]
fn an_option_given_in_code_is_part_of_the_url() {
    let mut url = StorageUrl::parse("fs:./a").unwrap();
    url.push_option("a", "1&2").unwrap();
    assert_eq!(StorageUrl::parse(url.with_secrets()).unwrap(), url);
    assert!(url.push_option("a", "2").is_err());
}

#[test]
fn secrets_are_never_shown() {
    for text in [
        "mongodb://ada:hunter2@host/db",
        "mongodb://hunter2@host/db",
        "mongodb://ada:p@ss/hunter2?x@host/db",
        "mongodb:ada:hunter2@host/db",
        "s3://bucket/prefix?secret_access_key=hunter2",
        "s3://bucket/prefix?region=x&SESSION_TOKEN=hunter2",
        "az://c/p?sig=hunter2#x",
        "az://c/p?p%61ssword=hunter2",
        "s3://bucket/prefix?secret=x:y@hunter2",
        "?password=hunter2",
    ] {
        let shown = redact(text);
        assert!(!shown.contains("hunter2"), "{shown}");
        if let Ok(url) = StorageUrl::parse(text) {
            assert!(!format!("{url} {url:?}").contains("hunter2"));
        }
        let error = StorageUrl::parse(&format!("{text}#")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    for text in [
        "fs:./a@b",
        "fs:///home/a@b",
        "sqlite:./app.db?busy_timeout_ms=5",
        "s3://bucket/prefix",
        "memory:",
    ] {
        assert_eq!(redact(text), text);
    }
    assert_eq!(
        redact("mongodb://ada:hunter2@host/db?w=majority"),
        "mongodb://ada:***@host/db?w=majority"
    );
}

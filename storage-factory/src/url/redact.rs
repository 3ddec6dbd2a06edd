//! A URL as a person may see it. When in doubt it hides too much: a log keeps a password for years.

/// What a secret is shown as.
const HIDDEN: &str = "***";

/// Parts of option names whose values are secrets, in lower case.
const SECRET_NAMES: [&str; 8] = [
    "auth",
    "credential",
    "key",
    "pass",
    "pwd",
    "secret",
    "sig",
    "token",
];

/// The URL with passwords, keys and tokens hidden. It need not be well-formed.
pub(crate) fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once(':') else {
        return redact_query(text);
    };
    let (slashes, place) = match rest.strip_prefix("//") {
        Some(place) => ("//", place),
        None => ("", rest),
    };
    // With `//`, all before the last `@` may be a user's name and password: a password that was not escaped can hold `/` and `?`.
    // Without, a path may hold an `@`, and only what looks like `name:password@` is hidden.
    let user_end = place.rfind('@').filter(|at| {
        let before = &place[..*at];
        if slashes.is_empty() {
            before.contains(':')
        } else {
            !before.starts_with('/')
        }
    });
    match user_end {
        None => format!("{scheme}:{slashes}{}", redact_query(place)),
        // The `@` may be the password's or an option's: nothing behind the scheme is safe to show.
        Some(at) if place[..at].contains('?') => format!("{scheme}:{slashes}{HIDDEN}"),
        Some(at) => {
            let user = place[..at]
                .split_once(':')
                .map_or(String::new(), |(user, _)| format!("{user}:"));
            format!("{scheme}:{slashes}{user}{HIDDEN}{}", redact_query(&place[at..]))
        }
    }
}

/// Whether the value of an option of this name is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

fn redact_query(text: &str) -> String {
    let Some((place, query)) = text.split_once('?') else {
        return text.to_owned();
    };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            // An escape in a name can hide what it says, and no option of ours needs one.
            Some((name, _)) if is_secret(name) || name.contains('%') => format!("{name}={HIDDEN}"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{place}?{}", pairs.join("&"))
}

//! Servers that the environment names.

use std::collections::BTreeMap;
use std::env;

use crate::{How, Kind, Result, Server, probe};

/// The server that the environment names for this kind.
pub(crate) fn named(kind: Kind) -> Result<Option<Server>> {
    let variable = kind.variable();
    let Some(value) = env::var_os(variable) else {
        return Ok(None);
    };
    let url = value
        .into_string()
        .map_err(|_| format!("{variable} is not UTF-8"))?;
    server(kind, url).map(Some)
}

fn server(kind: Kind, url: String) -> Result<Server> {
    let schemes: &[&str] = match kind {
        Kind::Mongo => &["mongodb", "mongodb+srv"],
        Kind::S3 => &["s3"],
        Kind::Gcs => &["gs"],
        Kind::Azure => &["az"],
    };
    // Not the URL itself: it may hold a password.
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme)
        .unwrap_or_default();
    if !schemes.contains(&scheme) {
        return Err(format!(
            "{} must begin with {}://",
            kind.variable(),
            schemes.join(":// or ")
        )
        .into());
    }
    Ok(Server {
        kind,
        name: kind.variable().to_owned(),
        version: "unknown".to_owned(),
        says: String::new(),
        how: How::Explicit,
        url,
        credentials: BTreeMap::new(),
        program: None,
        process: None,
        container: None,
        log: None,
        data: None,
    })
}

/// The same server with what it says of itself. One that cannot be used is an error, never a reason to take another.
pub(crate) async fn checked(mut server: Server) -> Result<Server> {
    let place = format!("{} names {}", server.kind.variable(), server.shown_url());
    server
        .check()
        .await
        .map_err(|error| format!("{place}, which cannot be used: {error}"))?;
    server.says = probe::ask(&server).await?;
    server.version.clone_from(&server.says);
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_has_to_fit() {
        let error = server(Kind::S3, "mongodb://ada:secret@localhost/app".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "STORAGE_TEST_S3_URL must begin with s3://");
        assert!(server(Kind::Mongo, "mongodb+srv://cluster/app".to_owned()).is_ok());
    }

    #[tokio::test]
    async fn nothing_there_is_an_error_without_the_password() {
        // Port 1 (tcpmux) is served nowhere.
        let url = "mongodb://ada:secret@127.0.0.1:1/app?directConnection=true".to_owned();
        let error = checked(server(Kind::Mongo, url).unwrap())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("mongodb://127.0.0.1:1/app"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

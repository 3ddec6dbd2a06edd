//! Asking a server what it is. An answer to that is also what being ready means.

use mongodb::bson::doc;
use object_store::client::{HttpRequest, HttpRequestBody};

use crate::reach::{http, mongo};
use crate::{Kind, Result, Server};

/// What the server says it is.
pub(crate) async fn ask(server: &Server) -> Result<String> {
    match server.kind {
        Kind::Mongo => ask_mongo(&server.url).await,
        Kind::S3 | Kind::Azure => ask_http(server.option("endpoint")).await,
        Kind::Gcs => ask_http(server.option("base_url")).await,
    }
}

async fn ask_mongo(url: &str) -> Result<String> {
    let client = mongo(url).await?;
    let information = client
        .database("admin")
        .run_command(doc! { "buildInfo": 1 })
        .await?;
    Ok(format!(
        "MongoDB {}",
        information.get_str("version").unwrap_or("without version")
    ))
}

/// The header of that name. Any status is an answer: a bare request has no rights.
async fn ask_http(endpoint: Option<String>) -> Result<String> {
    let Some(endpoint) = endpoint else {
        return Ok("the vendor's service".to_owned());
    };
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = endpoint.parse()?;
    let response = http()?.execute(request).await?;
    let header = response.headers().get("server");
    let header = header.and_then(|value| value.to_str().ok());
    Ok(header.unwrap_or("nothing of itself").to_owned())
}

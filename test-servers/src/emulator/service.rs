//! From a request to its answer.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::header::{HeaderValue, SERVER};
use hyper::{Method, Request, StatusCode};

use super::answer::{self, Answer, Refusal};
use super::dialect::{Dialect, header};
use super::objects::Objects;
use super::request::Read;
use super::{listing, reading, writing};

/// Answers every request, if only with a refusal.
pub(super) async fn answer(
    dialect: Dialect,
    objects: &Objects,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let answer = match Read::of(request).await {
        Ok(request) => route(dialect, objects, &request).await,
        Err(refusal) => Err(refusal),
    };
    let mut answer = answer.unwrap_or_else(Refusal::answer);
    answer
        .headers_mut()
        .insert(SERVER, HeaderValue::from_static(dialect.label()));
    Ok(answer)
}

async fn route(dialect: Dialect, objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    // Bodies in signed chunks would be kept with their signatures.
    if header(&request.headers, "x-amz-content-sha256")?.is_some_and(|hash| hash.starts_with("STREAMING-")) {
        return Err(Refusal::NOT_IMPLEMENTED);
    }
    dialect.check_key(&request.key)?;
    if request.key.is_empty() {
        return bucket(dialect, objects, request);
    }
    let only = |known: &[&str]| request.only(known, dialect.signature_prefix());
    match (&request.method, request.parameter("uploadId")) {
        (&Method::GET | &Method::HEAD, None) => {
            only(if dialect == Dialect::Gcs {
                &["generation"]
            } else {
                &[]
            })?;
            reading::get(dialect, objects, request)
        }
        (&Method::PUT, Some(id)) => {
            only(&["uploadId", "partNumber"])?;
            writing::put_part(dialect, objects, request, id)
        }
        (&Method::PUT, None) => {
            only(&[])?;
            writing::put(dialect, objects, request).await
        }
        (&Method::POST, Some(id)) => {
            only(&["uploadId"])?;
            writing::complete(dialect, objects, request, id).await
        }
        (&Method::POST, None) if request.parameter("uploads").is_some() => {
            only(&["uploads"])?;
            writing::begin(dialect, objects, request)
        }
        (&Method::DELETE, Some(id)) => {
            only(&["uploadId"])?;
            objects.abort(&request.bucket, &request.key, id)?;
            Ok(answer::empty(StatusCode::NO_CONTENT))
        }
        (&Method::DELETE, None) => {
            only(&[])?;
            writing::delete(dialect, objects, request).await
        }
        _ => Err(Refusal::NOT_IMPLEMENTED),
    }
}

/// Requests about the bucket as a whole.
fn bucket(dialect: Dialect, objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    const LISTING: [&str; 6] = [
        "list-type",
        "prefix",
        "delimiter",
        "start-after",
        "continuation-token",
        "max-keys",
    ];
    let only = |known: &[&str]| request.only(known, dialect.signature_prefix());
    match request.method {
        Method::GET => {
            only(&LISTING)?;
            listing::list(objects, request)
        }
        Method::HEAD => {
            only(&[])?;
            objects.with(&request.bucket, |_| answer::empty(StatusCode::OK))
        }
        Method::PUT if !request.bucket.is_empty() => {
            only(&[])?;
            objects.create_bucket(&request.bucket);
            Ok(answer::empty(StatusCode::OK))
        }
        Method::POST if request.parameter("delete").is_some() && dialect != Dialect::Gcs => {
            only(&["delete"])?;
            writing::delete_many(objects, request)
        }
        _ => Err(Refusal::NOT_IMPLEMENTED),
    }
}

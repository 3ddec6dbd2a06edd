//! Writes: objects, copies, multipart uploads, deletes.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue};
use serde::Deserialize;

use super::S3Mode;
use super::answer::{self, Answer, Refusal, text};
use super::dialect::{Dialect, header};
use super::objects::{Condition, Object, Objects};
use super::request::{Read, split};

/// How long a server that races rests between its check and its write: longer than a burst of requests takes to arrive, on a busy
/// machine too.
const RACE: Duration = Duration::from_millis(100);

/// The most keys of one bulk delete (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
const MAX_DELETES: usize = 1000;

/// Does a write under the condition of its request, with the care the server takes.
async fn with_care<T>(
    dialect: Dialect,
    objects: &Objects,
    request: &Read,
    write: impl FnOnce(&Condition) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let condition = dialect.condition(&request.headers)?;
    match dialect.care() {
        S3Mode::Honest => write(&condition),
        S3Mode::IgnoresConditions => write(&Condition::default()),
        S3Mode::Races => {
            objects.check(&request.bucket, &request.key, &condition)?;
            if condition.absent || condition.etag.is_some() {
                tokio::time::sleep(RACE).await;
            }
            write(&Condition::default())
        }
    }
}

/// Answers `PUT` of an object, also as a copy of another.
pub(super) async fn put(dialect: Dialect, objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    let source = source(dialect, objects, request)?;
    let replaced = header(&request.headers, dialect.metadata_directive())? == Some("REPLACE");
    let (bytes, headers) = match &source {
        Some(object) if !replaced => (object.bytes.clone(), object.headers.clone()),
        Some(object) => (object.bytes.clone(), dialect.kept(&request.headers)),
        None => (request.body.clone(), dialect.kept(&request.headers)),
    };
    if source.is_some() && !replaced && dialect != Dialect::Gcs && copies_onto_itself(dialect, request)? {
        return Err(Refusal::INVALID_COPY);
    }
    let object = with_care(dialect, objects, request, |condition| {
        objects.put(&request.bucket, &request.key, bytes, headers, condition)
    })
    .await?;
    Ok(match source {
        None => answer::with(StatusCode::OK, Bytes::new(), dialect.state(&object)),
        Some(_) => copied("CopyObjectResult", &object),
    })
}

/// The object a copy is made of, where the request is for one.
fn source(dialect: Dialect, objects: &Objects, request: &Read) -> Result<Option<Object>, Refusal> {
    if request.headers.contains_key("x-amz-copy-source-range") {
        return Err(Refusal::NOT_IMPLEMENTED);
    }
    let Some(source) = header(&request.headers, dialect.copy_source())? else {
        return Ok(None);
    };
    let (bucket, key) = split(source.trim_start_matches('/'))?;
    objects.get(&bucket, &key).map(Some)
}

fn copies_onto_itself(dialect: Dialect, request: &Read) -> Result<bool, Refusal> {
    let Some(source) = header(&request.headers, dialect.copy_source())? else {
        return Ok(false);
    };
    Ok(split(source.trim_start_matches('/'))? == (request.bucket.clone(), request.key.clone()))
}

fn copied(element: &str, object: &Object) -> Answer {
    answer::xml(&format!(
        "<{element}><LastModified>{}</LastModified><ETag>{}</ETag></{element}>",
        object.modified.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
        text(&object.etag),
    ))
}

/// Answers `DELETE` of an object. S3 does not say whether it was there, Google does.
pub(super) async fn delete(dialect: Dialect, objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    let was_there = with_care(dialect, objects, request, |condition| {
        objects.delete(&request.bucket, &request.key, condition)
    })
    .await?;
    if dialect == Dialect::Gcs && !was_there {
        return Err(Refusal::NO_SUCH_KEY);
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

#[derive(Debug, Deserialize)]
struct Delete {
    #[serde(rename = "Object", default)]
    objects: Vec<Doomed>,
}

#[derive(Debug, Deserialize)]
struct Doomed {
    #[serde(rename = "Key")]
    key: String,
}

/// Answers `POST /bucket?delete`.
pub(super) fn delete_many(objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    let wanted: Delete = parse(&request.body)?;
    if wanted.objects.is_empty() || wanted.objects.len() > MAX_DELETES {
        return Err(Refusal::MALFORMED);
    }
    let mut results = String::new();
    for Doomed { key } in wanted.objects {
        objects.delete(&request.bucket, &key, &Condition::default())?;
        results += &format!("<Deleted><Key>{}</Key></Deleted>", text(&key));
    }
    Ok(answer::xml(&format!("<DeleteResult>{results}</DeleteResult>")))
}

/// Answers `POST /bucket/key?uploads`.
pub(super) fn begin(dialect: Dialect, objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    let id = objects.begin(&request.bucket, &request.key, dialect.kept(&request.headers))?;
    Ok(answer::xml(&format!(
        "<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{id}</UploadId>\
         </InitiateMultipartUploadResult>",
        text(&request.bucket),
        text(&request.key),
    )))
}

/// Answers `PUT /bucket/key?partNumber&uploadId`, also of a part that is a copy.
pub(super) fn put_part(
    dialect: Dialect,
    objects: &Objects,
    request: &Read,
    id: &str,
) -> Result<Answer, Refusal> {
    // 1 to 10,000 at both vendors (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
    let number = request
        .parameter("partNumber")
        .and_then(|number| number.parse().ok())
        .filter(|number| (1..=10_000).contains(number))
        .ok_or(Refusal::INVALID_ARGUMENT)?;
    let source = source(dialect, objects, request)?;
    let bytes = source
        .as_ref()
        .map_or(&request.body, |object| &object.bytes)
        .clone();
    let etag = objects.add_part(&request.bucket, &request.key, id, number, bytes)?;
    if let Some(object) = source {
        return Ok(copied("CopyPartResult", &Object { etag, ..object }));
    }
    let etag = HeaderValue::try_from(etag).map_err(|_| Refusal::INVALID_PART)?;
    Ok(answer::with(StatusCode::OK, Bytes::new(), [(ETAG, etag)]))
}

#[derive(Debug, Deserialize)]
struct Complete {
    #[serde(rename = "Part", default)]
    parts: Vec<NamedPart>,
}

#[derive(Debug, Deserialize)]
struct NamedPart {
    #[serde(rename = "PartNumber")]
    number: u32,
    #[serde(rename = "ETag")]
    etag: String,
}

/// Answers `POST /bucket/key?uploadId`.
pub(super) async fn complete(
    dialect: Dialect,
    objects: &Objects,
    request: &Read,
    id: &str,
) -> Result<Answer, Refusal> {
    let named: Complete = parse(&request.body)?;
    let named: Vec<(u32, String)> = named
        .parts
        .into_iter()
        .map(|part| (part.number, part.etag))
        .collect();
    let object = with_care(dialect, objects, request, |condition| {
        objects.complete(&request.bucket, &request.key, id, &named, condition)
    })
    .await?;
    let mut answer = answer::xml(&format!(
        "<CompleteMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><ETag>{}</ETag>\
         </CompleteMultipartUploadResult>",
        text(&request.bucket),
        text(&request.key),
        text(&object.etag),
    ));
    answer.headers_mut().extend(dialect.state(&object));
    Ok(answer)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    let body = std::str::from_utf8(body).map_err(|_| Refusal::MALFORMED)?;
    quick_xml::de::from_str(body).map_err(|_| Refusal::MALFORMED)
}

//! Reads: whole objects and ranges, with conditions.

use std::ops::Range;

use chrono::{DateTime, Utc};
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
};
use hyper::{HeaderMap, StatusCode};

use super::answer::{self, Answer, Refusal};
use super::dialect::{Dialect, header};
use super::objects::{Object, Objects, etag_matches};
use super::request::Read;

/// Answers `GET` and `HEAD` of an object; the server leaves the body of the latter out.
pub(super) fn get(dialect: Dialect, objects: &Objects, request: &Read) -> Result<Answer, Refusal> {
    let object = match (dialect, request.parameter("generation")) {
        (Dialect::Gcs, Some(number)) => {
            let number = number.parse().map_err(|_| Refusal::INVALID_ARGUMENT)?;
            objects.get_generation(&request.bucket, &request.key, number)?
        }
        _ => objects.get(&request.bucket, &request.key)?,
    };
    if dialect == Dialect::Gcs {
        dialect.condition(&request.headers)?.check(Some(&object))?;
    }
    check(&object, &request.headers)?;

    let size = object.bytes.len();
    let range = header(&request.headers, RANGE.as_str())?
        .map(|text| range(text, size))
        .transpose()?;
    let mut headers = dialect.state(&object);
    headers.extend(object.headers.iter().cloned());
    headers.push((ACCEPT_RANGES, HeaderValue::from_static("bytes")));
    // Said here, because the server leaves it out of the answer to `HEAD` of an empty object.
    headers.push((
        CONTENT_LENGTH,
        HeaderValue::from(range.as_ref().map_or(size, Range::len)),
    ));
    match range {
        None => Ok(answer::with(StatusCode::OK, object.bytes, headers)),
        Some(range) => {
            let told = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let told = HeaderValue::try_from(told).map_err(|_| Refusal::INVALID_RANGE)?;
            headers.push((CONTENT_RANGE, told));
            Ok(answer::with(
                StatusCode::PARTIAL_CONTENT,
                object.bytes.slice(range),
                headers,
            ))
        }
    }
}

/// The four conditions of a read; a tag goes before a time, as RFC 9110 §13.2.2 orders them.
fn check(object: &Object, headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(etag) = header(headers, IF_MATCH.as_str())? {
        if !etag_matches(etag, &object.etag) {
            return Err(Refusal::PRECONDITION_FAILED);
        }
    } else if let Some(time) = time(headers, &IF_UNMODIFIED_SINCE)?
        && object.modified > time
    {
        return Err(Refusal::PRECONDITION_FAILED);
    }
    if let Some(etag) = header(headers, IF_NONE_MATCH.as_str())? {
        if etag_matches(etag, &object.etag) {
            return Err(Refusal::NOT_MODIFIED);
        }
    } else if let Some(time) = time(headers, &IF_MODIFIED_SINCE)?
        && object.modified <= time
    {
        return Err(Refusal::NOT_MODIFIED);
    }
    Ok(())
}

fn time(headers: &HeaderMap, name: &HeaderName) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = header(headers, name.as_str())? else {
        return Ok(None);
    };
    let time = DateTime::parse_from_rfc2822(text).map_err(|_| Refusal::INVALID_ARGUMENT)?;
    Ok(Some(time.with_timezone(&Utc)))
}

/// One range of bytes, cut at the end.
fn range(text: &str, size: usize) -> Result<Range<usize>, Refusal> {
    let number = |text: &str| text.parse::<usize>().map_err(|_| Refusal::INVALID_RANGE);
    let (from, to) = text
        .strip_prefix("bytes=")
        .and_then(|rest| rest.split_once('-'))
        .ok_or(Refusal::INVALID_RANGE)?;
    let range = match (from, to) {
        ("", last) => size.saturating_sub(number(last)?)..size,
        (from, "") => number(from)?..size,
        (from, to) => number(from)?..number(to)?.saturating_add(1).min(size),
    };
    if range.is_empty() {
        Err(Refusal::INVALID_RANGE)
    } else {
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_and_never_empty() {
        for (text, size, expected) in [
            ("bytes=0-3", 10, Ok(0..4)),
            ("bytes=8-30", 10, Ok(8..10)),
            ("bytes=4-", 10, Ok(4..10)),
            ("bytes=-3", 10, Ok(7..10)),
            ("bytes=-30", 10, Ok(0..10)),
            ("bytes=10-", 10, Err(Refusal::INVALID_RANGE)),
            ("bytes=12-14", 10, Err(Refusal::INVALID_RANGE)),
            ("bytes=-0", 10, Err(Refusal::INVALID_RANGE)),
            ("bytes=0-", 0, Err(Refusal::INVALID_RANGE)),
            ("bytes=3-2", 10, Err(Refusal::INVALID_RANGE)),
            ("lines=1-2", 10, Err(Refusal::INVALID_RANGE)),
        ] {
            assert_eq!(range(text, size), expected, "{text} of {size}");
        }
    }
}
